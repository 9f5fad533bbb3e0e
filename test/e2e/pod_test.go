// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kill and drain are the grace periods of a SIGKILL and of an orderly stop.
var (
	kill  = client.GracePeriodSeconds(0)
	drain = client.GracePeriodSeconds(30)
)

// deletePods deletes the namespace's pods with the labels, and returns how many there were.
func deletePods(t *testing.T, namespace string, labels client.MatchingLabels, how client.DeleteOption) int {
	t.Helper()
	var pods corev1.PodList
	if err := stage.Client.List(t.Context(), &pods, client.InNamespace(namespace), labels); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) == 0 {
		t.Fatalf("there is no pod in %s with %v: nothing would be tested", namespace, labels)
	}
	for _, pod := range pods.Items {
		if err := stage.Client.Delete(t.Context(), &pod, how); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	return len(pods.Items)
}

// podsOf are the labels of a group's pods.
func podsOf(name string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/instance": name}
}

func TestAKilledWorkerLosesNothing(t *testing.T) {
	id := pay(t, 10*time.Second)
	deletePods(t, stage.Namespace, podsOf("order-paid-warehouse"), kill)
	noDuplicateEffects(t, handled(t, paid(t, id), 90*time.Second))
}

func TestADrainedWorkerRepeatsNothing(t *testing.T) {
	id := pay(t, 10*time.Second)
	deletePods(t, stage.Namespace, podsOf("order-paid-warehouse"), drain)
	noDuplicates(t, handled(t, paid(t, id), 90*time.Second))
}

func TestScaledUpAndDownRepeatsNothing(t *testing.T) {
	const name = "order-paid-credit"
	id := pay(t, 30*time.Second)
	for _, replicas := range []int{3, 1} {
		if _, err := stage.Kubectl(t.Context(), "-n", stage.Namespace, "scale", "mqcg", name, "--replicas", strconv.Itoa(replicas)); err != nil {
			t.Fatal(err)
		}
		within(t, time.Minute, strconv.Itoa(replicas)+" pods are ready", func(ctx context.Context) (bool, error) {
			g := group(ctx, t, name)
			return int(g.Status.ReadyReplicas) == replicas && int(g.Status.Replicas) == replicas, nil
		})
	}
	noDuplicates(t, handled(t, paid(t, id), time.Minute))
}
