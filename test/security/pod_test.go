// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
