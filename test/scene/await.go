// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AwaitBinding waits until the operator has written the producer-binding Secret.
func (s *Scene) AwaitBinding(ctx context.Context) error {
	return Poll(ctx, "the producer-binding Secret is written", func(ctx context.Context) (bool, error) {
		var secret corev1.Secret
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: Binding}, &secret)
		return err == nil, client.IgnoreNotFound(err)
	})
}

// AwaitReady waits until the sample's flow is Ready: topic, groups and pods.
func (s *Scene) AwaitReady(ctx context.Context) error {
	_, err := s.Kubectl(ctx, "-n", s.Namespace, "wait", "--for=condition=Ready", "orderflow/"+Flow, "--timeout=120s")
	return err
}

// Describe is what a user would read who wonders why: every object of OrderFlow's described, the pods, and the end of the operator's log.
func (s *Scene) Describe(ctx context.Context) string {
	var told strings.Builder
	for _, question := range [][]string{
		{"-n", s.Namespace, "describe", "orderflow-dev"},
		{"-n", s.Namespace, "get", "pods", "-o", "wide"},
		{"-n", OperatorNamespace, "get", "pods", "-o", "wide"},
		{"-n", OperatorNamespace, "logs", "--tail=40", "--prefix", "-l", "app.kubernetes.io/name=orderflow"},
	} {
		told.WriteString("$ kubectl " + strings.Join(question, " ") + "\n")
		out, err := s.Kubectl(ctx, question...)
		told.WriteString(out)
		if err != nil {
			told.WriteString(err.Error() + "\n")
		}
	}
	return told.String()
}
