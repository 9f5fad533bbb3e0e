// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/controllers/apply"
)

// withoutSpec reads network policies as the operator's cache has them.
type withoutSpec struct{ *counter }

func (w withoutSpec) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	err := w.counter.Get(ctx, key, object, opts...)
	if policy, is := object.(*networkingv1.NetworkPolicy); is {
		policy.Spec = networkingv1.NetworkPolicySpec{}
	}
	return err
}

func (w *world) policy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "policy", Labels: map[string]string{"mine": "yes"}},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "one"}}},
	}
}

func TestANewOperatorAppliesOnlyWhatDoesNotStand(t *testing.T) {
	for sentence, c := range map[string]struct {
		// before is done by who was there, away is what happens while there is no operator.
		before, away func(t *testing.T, w *world)
		want         int
	}{
		"what nobody touched stands": {want: 0},
		"what was changed before, and is as declared, stands": {before: func(t *testing.T, w *world) {
			other := w.policy()
			other.Spec.PodSelector.MatchLabels["app"] = "other"
			w.apply(t, other)
			w.apply(t, w.policy())
		}, want: 0},
		"a spec that somebody edited is put right": {away: func(t *testing.T, w *world) {
			edited := w.policy()
			w.Read(t, edited)
			edited.Spec.PodSelector.MatchLabels["app"] = "theirs"
			w.Write(t, edited)
		}, want: 1},
		"a label that somebody edited is put right": {away: func(t *testing.T, w *world) {
			edited := w.policy()
			w.Read(t, edited)
			edited.Labels["mine"] = "no"
			w.Write(t, edited)
		}, want: 1},
		"data that somebody edited, of a kind without generations, are put right": {away: func(t *testing.T, w *world) {
			edited := w.config("config", nil)
			w.Read(t, edited)
			edited.Data = map[string]string{"a": "2"}
			w.Write(t, edited)
		}, want: 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			declare := func() { w.apply(t, w.policy()); w.apply(t, w.config("config", map[string]string{"a": "1"})) }
			declare()
			for _, do := range []func(*testing.T, *world){c.before, c.away} {
				if do != nil {
					do(t, w)
				}
			}
			w.writes.applied = 0
			w.applier = apply.New(withoutSpec{w.writes}, w.Client)
			declare()
			if w.writes.applied != c.want {
				t.Errorf("%d objects were applied, want %d", w.writes.applied, c.want)
			}
			policy, config := w.policy(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "config"}}
			w.Read(t, policy)
			w.Read(t, config)
			if policy.Spec.PodSelector.MatchLabels["app"] != "one" || policy.Labels["mine"] != "yes" || config.Data["a"] != "1" {
				t.Errorf("it is not as declared: %v, %v, %v", policy.Spec.PodSelector, policy.Labels, config.Data)
			}
			w.writes.applied = 0
			w.applier = apply.New(withoutSpec{w.writes}, w.Client)
			if declare(); w.writes.applied != 0 {
				t.Errorf("the operator after it applied %d objects again", w.writes.applied)
			}
		})
	}
}
