// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/controllers/apply"
)

// withoutSpec reads network policies and Deployments as the operator's cache has them.
type withoutSpec struct{ *counter }

func (w withoutSpec) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	err := w.counter.Get(ctx, key, object, opts...)
	apply.Slim(object)
	switch o := object.(type) {
	case *networkingv1.NetworkPolicy:
		o.Spec = networkingv1.NetworkPolicySpec{}
	case *appsv1.Deployment:
		o.Spec = appsv1.DeploymentSpec{}
	}
	return err
}

func (w *world) policy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "policy", Labels: map[string]string{"mine": "yes"}},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "one"}}},
	}
}

func (w *world) deployment() *appsv1.Deployment {
	app := map[string]string{"app": "one"}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "deployment"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: app},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:1"}}}},
	}}
}

// editPolicy is what somebody does by hand.
func editPolicy(edit func(*networkingv1.NetworkPolicy)) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		policy := w.policy()
		w.Read(t, policy)
		edit(policy)
		w.Write(t, policy)
	}
}

func TestANewOperatorAppliesOnlyWhatDoesNotStand(t *testing.T) {
	theirs := editPolicy(func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["app"] = "theirs" })
	for sentence, c := range map[string]struct {
		// before is done by who was there, away is what happens while there is no operator.
		before, away func(t *testing.T, w *world)
		// want is how often something is applied: a spec that changes, of a kind whose generation does not move with its mark, takes two.
		want int
	}{
		"what nobody touched stands": {want: 0},
		"what was changed before, and is as declared, stands": {before: func(t *testing.T, w *world) {
			other := w.policy()
			other.Spec.PodSelector.MatchLabels["app"] = "other"
			w.apply(t, other)
			w.apply(t, w.policy())
		}, want: 0},
		"a spec that somebody edited is put right": {away: theirs, want: 2},
		"so it is after a label of ours was changed": {before: func(t *testing.T, w *world) {
			other := w.policy()
			other.Labels["more"] = "yes"
			w.apply(t, other)
			w.apply(t, w.policy())
		}, away: theirs, want: 2},
		"so it is after something was added to the spec that we do not declare": {before: func(t *testing.T, w *world) {
			editPolicy(func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["more"] = "yes" })(t, w)
			w.apply(t, w.policy())
		}, away: theirs, want: 2},
		"so it is where an older operator had marked it without its generation": {before: func(t *testing.T, w *world) {
			editPolicy(func(p *networkingv1.NetworkPolicy) {
				p.Annotations["orderflow.dev/applied"], _, _ = strings.Cut(p.Annotations["orderflow.dev/applied"], "-")
			})(t, w)
			w.applier = apply.New(withoutSpec{w.writes}, w.Client)
			w.apply(t, w.policy())
		}, away: theirs, want: 2},
		"a label that somebody edited is put right": {away: editPolicy(func(p *networkingv1.NetworkPolicy) { p.Labels["mine"] = "no" }), want: 1},
		"a Deployment that somebody scaled is put right": {before: func(t *testing.T, w *world) {
			other := w.deployment()
			other.Annotations = map[string]string{"step": "1"} // its generation moves with that
			w.apply(t, other)
			w.apply(t, w.deployment())
		}, away: func(t *testing.T, w *world) {
			d := w.deployment()
			w.Read(t, d)
			d.Spec.Replicas = new(int32(7))
			w.Write(t, d)
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
			declare := func() {
				w.apply(t, w.policy())
				w.apply(t, w.deployment())
				w.apply(t, w.config("config", map[string]string{"a": "1"}))
			}
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
			deployment, policy, config := w.deployment(), w.policy(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "config"}}
			w.Read(t, deployment)
			w.Read(t, policy)
			w.Read(t, config)
			if *deployment.Spec.Replicas != 2 || policy.Spec.PodSelector.MatchLabels["app"] != "one" || policy.Labels["mine"] != "yes" || config.Data["a"] != "1" {
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
