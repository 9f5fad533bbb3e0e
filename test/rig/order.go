// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/orderflow-dev/orderflow/test/ledger"
)

// OrderKey is CEL for the key that an order system gives its orders: all orders of one are in one queue.
const OrderKey = "order.key"

// keys is how many there are.
const keys = 8 * Queues

// Stood is how long each queue stood still, at the longest, until a call after a moment, in milliseconds since 1970: none of its orders was called for, while one
// that was paid waited.
func Stood(since int64, paid []Paid, calls []ledger.Call) []time.Duration {
	stood := make([]time.Duration, Queues)
	for queue, calls := range byQueue(paid, calls) {
		waiting := int64(math.MaxInt64) // since when the first of those waits that are called for from here on
		for i := len(calls) - 1; i > 0; i-- {
			if calls[i].first {
				waiting = min(waiting, calls[i].paid.AtMillis)
			}
			if still := calls[i].at - max(calls[i-1].at, waiting); calls[i].at > since {
				stood[queue] = max(stood[queue], time.Duration(still)*time.Millisecond)
			}
		}
	}
	return stood
}

// Reordered are the orders that were called for out of their key's order: before one that was paid earlier had been, or while another's call was under way, of which
// each lasts as long. After a call that comes again, those after it come again too.
func Reordered(paid []Paid, calls []ledger.Call, lasts time.Duration) (ids []string) {
	place, next := map[string]int{}, map[string]int{}
	for _, o := range slices.SortedFunc(slices.Values(paid), func(a, b Paid) int { return cmp.Compare(a.Offset, b.Offset) }) {
		if _, again := place[o.ID]; !again {
			place[o.ID] = next[o.Key]
			next[o.Key]++
		}
	}
	type last struct {
		place int
		ends  int64
	}
	lasted := map[string]last{}
	for _, calls := range byQueue(paid, calls) {
		for _, c := range calls {
			before, known := lasted[c.paid.Key]
			if !known {
				before.place = -1
			}
			at := place[c.paid.ID]
			if at > before.place+1 || c.at < before.ends {
				ids = append(ids, c.paid.ID)
			}
			lasted[c.paid.Key] = last{at, c.at + lasts.Milliseconds() - 1} // both times are cut to milliseconds
		}
	}
	return ids
}

// called is a call of an order that is known, the order's first or not.
type called struct {
	at    int64
	paid  Paid
	first bool
}

// byQueue are the calls of each queue, as they arrived.
func byQueue(paid []Paid, calls []ledger.Call) [Queues][]called {
	where := make(map[string]Paid, len(paid))
	for _, o := range paid {
		where[o.ID] = o
	}
	seen := map[string]bool{}
	var queues [Queues][]called
	for _, c := range slices.SortedStableFunc(slices.Values(calls), func(a, b ledger.Call) int { return cmp.Compare(a.AtMillis, b.AtMillis) }) {
		if o, known := where[c.OrderID]; known {
			queues[o.Queue] = append(queues[o.Queue], called{c.AtMillis, o, !seen[c.OrderID]})
			seen[c.OrderID] = true
		}
	}
	return queues
}
