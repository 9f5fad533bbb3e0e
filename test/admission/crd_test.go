// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestEveryCRDIsSmallEnoughForPlainApply(t *testing.T) {
	const limit = 200 << 10
	for kind, crd := range crds(t) {
		applied, err := json.Marshal(crd)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d KiB", kind, len(applied)>>10)
		if len(applied) >= limit {
			t.Errorf("the CRD of %s has %d bytes; kubectl apply keeps a copy in an annotation of at most %d", kind, len(applied), limit)
		}
	}
}

func TestEveryDefaultIsSaidWhereTheFieldIsDescribed(t *testing.T) {
	found := 0
	for kind, crd := range crds(t) {
		walk(schemaOf(crd), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
			if s.Default == nil || string(s.Default.Raw) == "{}" || path == "status" { // {}: what is in it has defaults of its own
				return
			}
			found++
			var value any
			if err := json.Unmarshal(s.Default.Raw, &value); err != nil {
				t.Fatal(err)
			}
			said := strings.Contains(s.Description, fmt.Sprintf("Default: %v.", value))
			if _, object := value.(map[string]any); object {
				said = strings.Contains(s.Description, "Default: ") || strings.Contains(s.Description, "Unset: ")
			}
			if !said {
				t.Errorf("the description of %s %s does not say its default: add \"Default: %v.\" to\n\t%s", kind, path, value, s.Description)
			}
		})
	}
	if found == 0 {
		t.Error("no field has a default: they are not found")
	}
}

// testNew wants an object that nobody has looked at not to be taken for one that is as declared.
func testNew(t *testing.T, api *server) {
	for kind, manifest := range api.valid {
		o := object(t, manifest, map[string]any{"metadata.name": "new"})
		if err := api.Create(t.Context(), o, strict); err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		read, err := status.Compute(o)
		if err != nil || read.Status != status.InProgressStatus {
			t.Errorf("kstatus reads a new %s as %v (%v)", kind, read, err)
		}
		if err := api.Delete(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
}

// testNextVersion wants every CRD to take v1beta1 beside v1alpha1, as docs/api-versions.md says: of the same schema, served, not stored, without conversion.
func testNextVersion(t *testing.T, api *server) {
	const next = "v1beta1"
	for kind, manifest := range api.valid {
		old := object(t, manifest, map[string]any{"metadata.name": "both"})
		if err := api.Create(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		if err := api.Get(t.Context(), client.ObjectKey{Name: crds(t)[kind].Name}, crd); err != nil {
			t.Fatal(err)
		}
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if strategy, _, _ := unstructured.NestedString(crd.Object, "spec", "conversion", "strategy"); len(versions) != 1 || strategy != "None" {
			t.Fatalf("the CRD of %s has %d versions and the conversion %q", kind, len(versions), strategy)
		}
		beta := (&unstructured.Unstructured{Object: versions[0].(map[string]any)}).DeepCopy().Object
		beta["name"], beta["storage"] = next, false
		if err := unstructured.SetNestedSlice(crd.Object, append(versions, beta), "spec", "versions"); err != nil {
			t.Fatal(err)
		}
		if err := api.Update(t.Context(), crd); err != nil {
			t.Fatalf("%s as %s: %v", kind, next, err)
		}
		wantSame(t, api, old, next)
		if err := api.Delete(t.Context(), old); err != nil {
			t.Error(err)
		}
	}
}

// wantSame wants the object to be read at another version with the same spec, and written there with another label.
func wantSame(t *testing.T, api *server, old *unstructured.Unstructured, version string) {
	t.Helper()
	read := &unstructured.Unstructured{}
	read.SetGroupVersionKind(schema.GroupVersionKind{Group: old.GroupVersionKind().Group, Version: version, Kind: old.GetKind()})
	deadline := time.After(time.Minute)
	for err := errors.New("not asked yet"); err != nil; { // until the API server serves it
		select {
		case <-deadline:
			t.Fatalf("read %s at %s: %v", old.GetKind(), version, err)
		case <-time.After(50 * time.Millisecond):
			err = api.Get(t.Context(), client.ObjectKeyFromObject(old), read)
		}
	}
	if got, want := fmt.Sprint(read.Object["spec"]), fmt.Sprint(old.Object["spec"]); got != want {
		t.Errorf("at %s the spec is\n%s\nat %s\n%s", version, got, old.GroupVersionKind().Version, want)
	}
	read.SetLabels(map[string]string{"written-at": version})
	if err := api.Update(t.Context(), read); err != nil {
		t.Errorf("write %s at %s: %v", old.GetKind(), version, err)
	}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(old), old); err != nil || old.GetLabels()["written-at"] != version {
		t.Errorf("what was written to %s at %s is not there at the version before: %v", old.GetKind(), version, err)
	}
}
