// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/shop"
)

// ordersPerSecond that one pod of each handler keeps up with on two cores.
const ordersPerSecond = 20

// pay starts a load and returns its id.
func pay(t *testing.T, duration time.Duration) string {
	t.Helper()
	load, err := stage.Shop.Load(t.Context(), shop.LoadRequest{RatePerSecond: ordersPerSecond, Duration: duration.String(), Mode: "decoupled", SendMode: "Sync", Seed: uint64(time.Now().UnixNano())})
	if err != nil {
		t.Fatal(err)
	}
	return load.ID
}

// paid waits until every order of the load has been paid, none of them in vain, and returns them.
func paid(t *testing.T, id string) []ledger.Order {
	t.Helper()
	within(t, 2*time.Minute, "every order is paid", func(ctx context.Context) (bool, error) {
		status, err := stage.Shop.Status(ctx, id)
		if err == nil && status.Failed > 0 {
			t.Errorf("%d orders could not be paid: %s", status.Failed, status.LastError)
		}
		return status.State == "done", err
	})
	orders, err := stage.Shop.Orders(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(orders) == 0 {
		t.Fatal("no order was paid: the test would judge nothing")
	}
	return orders
}

// handled waits until none of the orders lacks an effect, and returns the judgement. It fails for dead letters.
func handled(t *testing.T, orders []ledger.Order, deadline time.Duration) ledger.Report {
	t.Helper()
	var report ledger.Report
	within(t, deadline, "every order has all its effects", func(ctx context.Context) (done bool, err error) {
		report, err = stage.Judge(ctx, orders)
		return err == nil && len(report.Lost) == 0, err
	})
	for _, step := range report.Steps {
		if step.DeadLettered > 0 {
			t.Errorf("%s/%s: %d dead letters, want none", step.Handler, step.Step, step.DeadLettered)
		}
	}
	return report
}

// within polls until done, or fails the test with what the cluster says of itself.
func within(t *testing.T, deadline time.Duration, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := scene.Poll(ctx, what, done); err != nil {
		t.Fatalf("%v\n%s", err, stage.Describe(t.Context()))
	}
}

// group reads an MQConsumerGroup of the scene.
func group(ctx context.Context, t *testing.T, name string) *v1alpha1.MQConsumerGroup {
	t.Helper()
	var g v1alpha1.MQConsumerGroup
	if err := stage.Client.Get(ctx, client.ObjectKey{Namespace: stage.Namespace, Name: name}, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

// handledBy is how many of the orders had the effect of one step.
func handledBy(report ledger.Report, handler, step string) int {
	for _, s := range report.Steps {
		if s.Handler == handler && s.Step == step {
			return s.Handled
		}
	}
	return 0
}

// noDuplicates fails for every call accepted beyond the first.
func noDuplicates(t *testing.T, report ledger.Report) {
	t.Helper()
	for _, step := range report.Steps {
		if step.Duplicates > 0 {
			t.Errorf("%s/%s: %d duplicate calls, of the orders %v", step.Handler, step.Step, step.Duplicates, step.Duplicated)
		}
	}
}

// noDuplicateEffects fails where a key was not honoured or differed.
func noDuplicateEffects(t *testing.T, report ledger.Report) {
	t.Helper()
	if report.DuplicateEffects > 0 {
		t.Errorf("%d effects happened twice", report.DuplicateEffects)
	}
}
