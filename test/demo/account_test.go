// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/scene"
)

// sms is the step of the push handler.
func sms() ledger.Step { return scene.Steps()[0] }

func order(id string, at int64) ledger.Order { return ledger.Order{ID: id, PaidAtMillis: at} }

func sent(id string, at int64) ledger.Call {
	return ledger.Call{Provider: "sms", Action: "send", OrderID: id, AtMillis: at, Accepted: true}
}

func TestOrdersOnTime(t *testing.T) {
	orders := []ledger.Order{order("before", 90), order("in time", 100), order("too late", 110), order("never", 120), order("in the grace", 190)}
	calls := []ledger.Call{sent("before", 95), sent("in time", 150), sent("too late", 201), sent("in the grace", 195), sent("a stranger", 120)}
	paid, onTime := newAccount(orders, calls).onTime(sms(), 100, 200, 20)
	if paid != 3 || onTime != 1 {
		t.Errorf("%d of %d on time, want 1 of 3", onTime, paid)
	}
}

func TestRefusedAndRepeatedCallsDoNotCount(t *testing.T) {
	refused := sent("a", 10)
	refused.Accepted = false
	account := newAccount([]ledger.Order{order("a", 0)}, []ledger.Call{refused, sent("a", 30), sent("a", 20)})
	if got := account.done[sms()]["a"]; got != 20 {
		t.Errorf("the first accepted call was at %d, want 20", got)
	}
}

func TestTheDrainEndsWithTheLastOrderThatWaited(t *testing.T) {
	orders := []ledger.Order{order("waited 1", 10), order("waited 2", 20), order("new 1", 110), order("new 2", 120)}
	calls := []ledger.Call{sent("waited 1", 100), sent("new 1", 115), sent("waited 2", 130), sent("new 2", 140)}
	if diff := cmp.Diff([]float64{100, 115, 130}, newAccount(orders, calls).drain(sms(), 100)); diff != "" {
		t.Errorf("calls of the drain (-want +got):\n%s", diff)
	}
}

func TestADelayIsFromPaymentToTheFirstEffect(t *testing.T) {
	orders := []ledger.Order{order("before", 90), order("slow", 100), order("fast", 110), order("never", 120), order("after", 200)}
	calls := []ledger.Call{sent("before", 95), sent("slow", 150), sent("slow", 170), sent("fast", 115), sent("after", 205)}
	if diff := cmp.Diff([]float64{5, 50}, newAccount(orders, calls).delays(sms(), 100, 200)); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
}

func TestIntervalOfEqualRatiosIsThatRatio(t *testing.T) {
	if low, high := interval([]float64{1.05, 1.05, 1.05}); low != 1.05 || high != 1.05 {
		t.Errorf("interval %v … %v, want 1.05 … 1.05", low, high)
	}
}
