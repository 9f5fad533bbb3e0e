// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
)

// watched returns a client that fails the test for a status of our kinds that kubectl wait, Flux or Argo CD would misunderstand, or that was written although
// it says what was there before, and for an object that was applied with what nobody declared. Only what reconcilers write is looked at, by the name they write under.
func watched(t testing.TB, c client.WithWatch) client.Client {
	return interceptor.NewClient(c, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := c.Patch(ctx, object, patch, opts...); err != nil || patch.Type() != types.ApplyPatchType {
				return err
			}
			text, err := patch.Data(object)
			if err != nil {
				return err
			}
			if err := declares(text, object); err != nil {
				t.Errorf("%T %s: %v", object, object.GetName(), err)
			}
			return nil
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, object client.Object, opts ...client.SubResourceUpdateOption) error {
			before := object.GetResourceVersion()
			if err := c.SubResource(sub).Update(ctx, object, opts...); err != nil {
				return err
			}
			if by := (&client.SubResourceUpdateOptions{}).ApplyOptions(opts).FieldManager; by != string(apply.FieldOwner) {
				return nil
			}
			gvk, err := c.GroupVersionKindFor(object)
			if err != nil {
				return err
			}
			if object.GetResourceVersion() == before {
				t.Errorf("%s %s: a status was written that says what was there before", gvk.Kind, object.GetName())
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err != nil {
				return err
			}
			u := &unstructured.Unstructured{Object: content}
			u.SetGroupVersionKind(gvk)
			if err := conforms(u); err != nil {
				t.Errorf("%s %s: %v", gvk.Kind, object.GetName(), err)
			}
			return nil
		},
	})
}

// declares says what is wrong with an object that was applied by a text: null would be a wish for a field to be empty, and a status is the business of others.
func declares(text []byte, object client.Object) error {
	var fields any
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if hasNull(fields) {
		return fmt.Errorf("it was applied with null: %s", text)
	}
	for _, m := range object.GetManagedFields() {
		if m.Manager == string(apply.FieldOwner) && m.Operation == metav1.ManagedFieldsOperationApply && strings.Contains(m.FieldsV1.GetRawString(), `"f:status"`) {
			return fmt.Errorf("its status is now the applier's, too: %s", m.FieldsV1.GetRawString())
		}
	}
	return nil
}

func hasNull(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), hasNull)
	case []any:
		return slices.ContainsFunc(value, hasNull)
	}
	return false
}

// conforms says what is wrong with a status that has just been written, by the library that Flux reads it with.
func conforms(u *unstructured.Unstructured) error {
	var seen struct {
		ObservedGeneration int64              `json:"observedGeneration"`
		Conditions         []metav1.Condition `json:"conditions"`
	}
	content, _, _ := unstructured.NestedMap(u.Object, "status")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &seen); err != nil {
		return err
	}
	var wrong []error
	for _, c := range seen.Conditions {
		if c.ObservedGeneration != u.GetGeneration() {
			wrong = append(wrong, fmt.Errorf("%s speaks of generation %d of %d", c.Type, c.ObservedGeneration, u.GetGeneration()))
		}
	}
	if seen.ObservedGeneration != u.GetGeneration() {
		wrong = append(wrong, fmt.Errorf("status.observedGeneration is %d of %d", seen.ObservedGeneration, u.GetGeneration()))
	}
	want, err := phase(seen.Conditions)
	if u.GetDeletionTimestamp() != nil {
		want = status.TerminatingStatus
	}
	edited, deleted := u.DeepCopy(), u.DeepCopy()
	edited.SetGeneration(u.GetGeneration() + 1)
	deleted.SetDeletionTimestamp(new(metav1.Now()))
	wrong = append(wrong, err, read("as it is", u, want), read("being deleted", deleted, status.TerminatingStatus))
	if u.GetDeletionTimestamp() == nil {
		wrong = append(wrong, read("edited since", edited, status.InProgressStatus))
	}
	return errors.Join(wrong...)
}

// phase is what Ready, Reconciling and Stalled say together: the table of package condition.
func phase(conditions []metav1.Condition) (status.Status, error) {
	of := func(kind string) metav1.ConditionStatus {
		if c := meta.FindStatusCondition(conditions, kind); c != nil {
			return c.Status
		}
		return "missing"
	}
	ready, reconciling, stalled := of(v1alpha1.ConditionReady), of(v1alpha1.ConditionReconciling), of(v1alpha1.ConditionStalled)
	switch {
	case ready == "True" && reconciling == "False" && stalled == "False":
		return status.CurrentStatus, nil
	case (ready == "False" || ready == "Unknown") && reconciling == "True" && stalled == "False":
		return status.InProgressStatus, nil
	case ready == "False" && reconciling == "False" && stalled == "True":
		return status.FailedStatus, nil
	}
	return "", fmt.Errorf("the conditions Ready is %s, Reconciling %s and Stalled %s, which is no state", ready, reconciling, stalled)
}

// read wants kstatus to read the object as it is meant.
func read(when string, u *unstructured.Unstructured, want status.Status) error {
	got, err := status.Compute(u)
	if err != nil {
		return err
	}
	if want != "" && got.Status != want {
		return fmt.Errorf("%s, kstatus reads %s, want %s: %s", when, got.Status, want, got.Message)
	}
	return nil
}
