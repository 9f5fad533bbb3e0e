// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
)

// TestPodsAreAdmittedWhereOnlyRestrictedOnesAre asks the API server, in a namespace that enforces it, of the pods of every handler and of all that
// can be said of a workload.
func TestPodsAreAdmittedWhereOnlyRestrictedOnesAre(t *testing.T) {
	s := suite.New(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	s.Read(t, namespace)
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	s.Write(t, namespace)
	create := func(seen *inputs, change func(*corev1.PodSpec)) error {
		template := deployment(seen, "structure", 1).Spec.Template
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.GenerateName = s.Namespace, "pod-"
		if change != nil {
			change(&pod.Spec)
		}
		return s.Client.Create(t.Context(), pod, client.DryRunAll)
	}

	for name, handler := range everyHandler() {
		seen := ready()
		seen.group.Spec.Handler = handler
		if err := create(seen, nil); err != nil {
			t.Errorf("the pods of handler %s: %v", name, err)
		}
	}
	ref := func(name string) v1alpha1.LocalObjectReference { return v1alpha1.LocalObjectReference{Name: name} }
	for sentence, change := range map[string]func(*inputs){
		"with all that a workload says": func(seen *inputs) {
			seen.group.Spec.Workload = &v1alpha1.Workload{
				Image: "registry.example.com/worker:2", ImagePullSecrets: []v1alpha1.LocalObjectReference{ref("registry")},
				Resources:              &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
				TerminationGracePeriod: duration(time.Minute), NodeSelector: map[string]string{"pool": "workers"},
				Tolerations:       []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
				PriorityClassName: "system-node-critical", PodLabels: map[string]string{"team": "orders"}, PodAnnotations: map[string]string{"team": "orders"},
			}
		},
		"with Secrets of cluster and adapter": func(seen *inputs) {
			seen.cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: ref("acl")}
			seen.adapters["sms"].Spec.Auth = &v1alpha1.Auth{Type: v1alpha1.AuthMTLS, MTLS: &v1alpha1.MTLSAuth{SecretRef: ref("client")}}
			seen.adapters["sms"].Spec.TLS = &v1alpha1.AdapterTLS{CASecretRef: new(ref("ca"))}
		},
		"with traces": func(seen *inputs) { seen.tracing = Tracing{Endpoint: "http://collector:4318", Ratio: 1} },
	} {
		seen := ready()
		change(seen)
		if err := create(seen, nil); err != nil {
			t.Errorf("pods %s: %v", sentence, err)
		}
	}
	err := create(ready(), func(pod *corev1.PodSpec) { pod.Containers[0].SecurityContext.Capabilities = nil })
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("a pod that keeps its capabilities: %v, want it refused: else nothing is tested here", err)
	}
}
