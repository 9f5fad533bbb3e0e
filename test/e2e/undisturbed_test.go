// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/scene"
)

const (
	// slice of a load in which the data plane is judged.
	slice = 10 * time.Second
	// least share of the effects of the orders paid in a slice that must be seen within the same slice. An order paid at its end has its effects in the next.
	least = 0.8
)

// undisturbed lets orders be paid for as long as the load lasts, does something to the control plane meanwhile, and fails unless the data plane took no notice:
// no pod of a worker was replaced or restarted, in every slice of the load the third parties were called at the pace at which orders were paid, and in the
// end every order has each effect once.
func undisturbed(t *testing.T, load time.Duration, done func()) {
	t.Helper()
	before := workers(t)
	id := pay(t, load)
	done()
	orders := paid(t, id)
	noDuplicates(t, handled(t, orders, time.Minute))
	if diff := cmp.Diff(before, workers(t)); diff != "" {
		t.Errorf("pods of workers and their restarts (-before +after):\n%s", diff)
	}
	calls, err := stage.Stub.Calls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slicesOf(orders, calls) {
		if wanted := s.paid * len(scene.Steps()); float64(s.effects) < least*float64(wanted) {
			t.Errorf("from %s on third parties were called %d times within %s, want %.0f %% of the %d for the orders paid meanwhile", s.from.UTC().Format(time.TimeOnly), s.effects, slice, 100*least, wanted)
		}
	}
}

// workers are the pods of the sample's groups, with how often their containers were restarted.
func workers(t *testing.T) map[string]string {
	t.Helper()
	var pods corev1.PodList
	if err := stage.Client.List(t.Context(), &pods, client.InNamespace(stage.Namespace), client.MatchingLabels{"app.kubernetes.io/name": "orderflow-worker"}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			seen[pod.Name] = fmt.Sprintf("%s, %d restarts", pod.UID, c.RestartCount)
		}
	}
	if len(seen) == 0 {
		t.Fatal("there is no worker: nothing would be judged")
	}
	return seen
}

// judged is a slice of a load: orders paid in it, and calls accepted in it for orders of the load.
type judged struct {
	from          time.Time
	paid, effects int
}

// slicesOf leaves out the last slice, which ends with the load.
func slicesOf(orders []ledger.Order, calls []ledger.Call) []judged {
	ours, number := map[string]bool{}, map[int64]*judged{}
	at := func(millis int64) *judged {
		n := millis / slice.Milliseconds()
		if number[n] == nil {
			number[n] = &judged{from: time.UnixMilli(n * slice.Milliseconds())}
		}
		return number[n]
	}
	var last int64
	for _, order := range orders {
		ours[order.ID] = true
		at(order.PaidAtMillis).paid++
		last = max(last, order.PaidAtMillis/slice.Milliseconds())
	}
	for _, call := range calls {
		if call.Accepted && ours[call.OrderID] {
			at(call.AtMillis).effects++
		}
	}
	var list []judged
	for _, n := range slices.Sorted(maps.Keys(number)) {
		if n < last {
			list = append(list, *number[n])
		}
	}
	return list
}

// pass lets time go by, as long as the test runs.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
