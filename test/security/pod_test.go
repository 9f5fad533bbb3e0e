// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// testOperatorPod has every installation's pod admitted in the namespace that is installed with it, which enforces what it says.
func testOperatorPod(t *testing.T, i *installation.Installation) {
	for _, dir := range installations {
		for _, object := range installation.Manifests(t, dir) {
			if object.GetKind() != "Deployment" {
				continue
			}
			template := decode[appsv1.Deployment](t, object).Spec.Template
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: "operator", Labels: template.Labels}, Spec: template.Spec}
			if err := i.Admin.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("config/%s: %v", dir, err)
			}
			pod.Spec.Containers[0].SecurityContext = nil
			if err := i.Admin.Create(t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `PodSecurity "restricted`) {
				t.Errorf("config/%s: a pod without a security context: %v, want it refused", dir, err)
			}
		}
	}
}

// testOperatorNetwork looks at every installation's policy: whether a network enforces it is the cluster's.
func testOperatorNetwork(t *testing.T) {
	for _, dir := range installations {
		var pods []corev1.PodTemplateSpec
		var policies []networkingv1.NetworkPolicy
		for _, object := range installation.Manifests(t, dir) {
			switch object.GetKind() {
			case "Deployment":
				pods = append(pods, decode[appsv1.Deployment](t, object).Spec.Template)
			case "NetworkPolicy":
				policies = append(policies, *decode[networkingv1.NetworkPolicy](t, object))
			}
		}
		if len(pods) != len(policies) {
			t.Errorf("config/%s has %d Deployments and %d NetworkPolicies", dir, len(pods), len(policies))
		}
		if len(pods) != 1 || len(policies) != 1 { // what is made once for all, or in each namespace that is watched
			continue
		}
		policy := policies[0].Spec
		if selector, err := metav1.LabelSelectorAsSelector(&policy.PodSelector); err != nil || !selector.Matches(labels.Set(pods[0].Labels)) {
			t.Errorf("config/%s: the policy selects %v, and the pod has %v: %v", dir, policy.PodSelector, pods[0].Labels, err)
		}
		served := map[string]bool{}
		for _, port := range pods[0].Spec.Containers[0].Ports {
			served[port.Name] = true
		}
		for _, rule := range policy.Ingress {
			if len(rule.Ports) != 1 || !served[rule.Ports[0].Port.StrVal] {
				t.Errorf("config/%s lets in at %v, where the pod serves %v", dir, rule.Ports, served)
			}
		}
		for _, rule := range policy.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil && to.IPBlock.CIDR == "0.0.0.0/0" && !slices.Contains(to.IPBlock.Except, "169.254.0.0/16") {
					t.Errorf("config/%s lets the operator reach the link-local network", dir)
				}
			}
		}
	}
}
