// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/scene"
)

func TestAPaidOrderReachesEveryThirdPartyOnce(t *testing.T) {
	orders := paid(t, pay(t, 5*time.Second))
	noDuplicates(t, handled(t, orders, time.Minute))
}

func TestADeadThirdPartyParksItsGroupAndNoOther(t *testing.T) {
	if err := stage.Stub.Steer(t.Context(), "sms", map[string]any{"mode": "down"}); err != nil {
		t.Fatal(err)
	}
	orders := paid(t, pay(t, 20*time.Second))

	within(t, time.Minute, "the group says that its third party is down", func(ctx context.Context) (bool, error) {
		down := apimeta.FindStatusCondition(group(ctx, t, "order-paid-push").Status.Conditions, v1alpha1.ConditionThirdPartyDown)
		return down != nil && down.Status == metav1.ConditionTrue && strings.Contains(down.Message, "sms"), nil
	})
	within(t, 30*time.Second, "the other branches are done", func(ctx context.Context) (bool, error) {
		report, err := stage.Judge(ctx, orders)
		for _, step := range scene.Steps() {
			if step.Handler != "push" && handledBy(report, step.Handler, step.Step) < len(orders) {
				return false, err
			}
		}
		if told := handledBy(report, "push", "push"); told > 0 {
			t.Fatalf("%d buyers were told by a dead provider", told)
		}
		return err == nil, err
	})

	if err := stage.Stub.Steer(t.Context(), "sms", map[string]any{"mode": "healthy"}); err != nil {
		t.Fatal(err)
	}
	noDuplicates(t, handled(t, orders, time.Minute))
	within(t, 30*time.Second, "the group says that its third party is back", func(ctx context.Context) (bool, error) {
		return apimeta.IsStatusConditionFalse(group(ctx, t, "order-paid-push").Status.Conditions, v1alpha1.ConditionThirdPartyDown), nil
	})
}

func TestOperatorKilledWhileMessagesFlow(t *testing.T) {
	id := pay(t, 10*time.Second)
	deletePods(t, scene.OperatorNamespace, nil, kill)
	noDuplicates(t, handled(t, paid(t, id), time.Minute))
	if _, err := stage.Kubectl(t.Context(), "-n", scene.OperatorNamespace, "rollout", "status", "deployment", "--timeout=60s"); err != nil {
		t.Error(err)
	}
}
