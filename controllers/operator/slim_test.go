// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
)

func TestWhatObjectsOfOneOwnerSayIsTheirOwn(t *testing.T) {
	s := newSlimmer()
	object := func(labels map[string]string, owner string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: labels, OwnerReferences: []metav1.OwnerReference{{Name: owner, UID: "1"}}}}
	}
	for _, want := range []*corev1.ConfigMap{
		object(map[string]string{"a": "1"}, "push"), object(map[string]string{"a": "1"}, "push"), object(map[string]string{"a": "2"}, "push"),
		object(map[string]string{"b": "1"}, "renamed"), object(nil, "push"), object(map[string]string{"a": "1", "b": "1"}, "push"),
	} {
		held, err := s.slim(want.DeepCopy())
		if diff := cmp.Diff(any(want), held); err != nil || diff != "" {
			t.Errorf("error %v, held (-want +got):\n%s", err, diff)
		}
	}
}

func TestWhatReconcilersReadIsHeld(t *testing.T) {
	meta := func(more map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "shop", Name: "push", UID: "1", Generation: 3, Labels: map[string]string{"a": "b"}, Annotations: more,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Owner", Name: "owner", UID: "2", Controller: new(true)}},
		}
	}
	full := func(more map[string]string) metav1.ObjectMeta {
		m := meta(more)
		m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "somebody"}}
		return m
	}
	pod, marked := meta(nil), meta(nil)
	pod.OwnerReferences = nil
	marked.SetSelfLink("3f2a-7")
	structure := corev1.Volume{Name: "structure", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "push-1"}}}}
	status := appsv1.DeploymentStatus{ReadyReplicas: 2}
	conditions := []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Ready", Message: "all is well", ObservedGeneration: 3}}
	for sentence, c := range map[string]struct{ object, want any }{
		"of a Deployment its pods' number and structure": {
			&appsv1.Deployment{ObjectMeta: full(map[string]string{"mark": "1", corev1.LastAppliedConfigAnnotation: "{}"}), Status: status, Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(2)), Selector: &metav1.LabelSelector{}, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					Containers: []corev1.Container{{Name: "worker"}}, Volumes: []corev1.Volume{{Name: "live"}, structure},
				}},
			}},
			&appsv1.Deployment{ObjectMeta: meta(map[string]string{"mark": "1"}), Status: status, Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(2)), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Volumes: []corev1.Volume{structure}}},
			}},
		},
		"of a NetworkPolicy what is said of it": {
			&networkingv1.NetworkPolicy{ObjectMeta: full(map[string]string{"mark": "1"}), Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Egress"}}},
			&networkingv1.NetworkPolicy{ObjectMeta: meta(map[string]string{"mark": "1"})},
		},
		"of a pod its status": {
			&corev1.Pod{ObjectMeta: full(map[string]string{"theirs": "1"}), Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{PodIP: "10.0.0.1"}},
			&corev1.Pod{ObjectMeta: pod, Status: corev1.PodStatus{PodIP: "10.0.0.1"}},
		},
		"of what was applied what it was": {
			&corev1.ConfigMap{ObjectMeta: full(map[string]string{"orderflow.dev/applied": "3f2a-7"})},
			&corev1.ConfigMap{ObjectMeta: marked},
		},
		"of what others have annotated all": {
			&corev1.ConfigMap{ObjectMeta: full(map[string]string{"orderflow.dev/applied": "3f2a-7", "theirs": "1"})},
			&corev1.ConfigMap{ObjectMeta: meta(map[string]string{"orderflow.dev/applied": "3f2a-7", "theirs": "1"})},
		},
		"of a ConfigMap all": {
			&corev1.ConfigMap{ObjectMeta: full(nil), Data: map[string]string{"a": "1"}},
			&corev1.ConfigMap{ObjectMeta: meta(nil), Data: map[string]string{"a": "1"}},
		},
		"of a group all": {
			&v1alpha1.MQConsumerGroup{ObjectMeta: full(nil), Spec: v1alpha1.MQConsumerGroupSpec{Topic: "Orders"}, Status: v1alpha1.MQConsumerGroupStatus{Conditions: conditions}},
			&v1alpha1.MQConsumerGroup{ObjectMeta: meta(nil), Spec: v1alpha1.MQConsumerGroupSpec{Topic: "Orders"}, Status: v1alpha1.MQConsumerGroupStatus{Conditions: conditions}},
		},
		"of what is gone its name": {toolscache.DeletedFinalStateUnknown{Key: "shop/push"}, toolscache.DeletedFinalStateUnknown{Key: "shop/push"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			held, err := newSlimmer().slim(c.object)
			if diff := cmp.Diff(c.want, held); err != nil || diff != "" {
				t.Errorf("error %v, held (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestWhatIsHeldWithoutItsSpecStandsByItsGeneration(t *testing.T) {
	for _, kind := range []string{"Deployment", "NetworkPolicy", "PodDisruptionBudget"} {
		if !apply.StandsByGeneration(kind) {
			t.Errorf("the cache has %s without its spec, and package apply compares it", kind)
		}
	}
}
