// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestWhoHasSomethingToTellIsAskedAgainAtOnce(t *testing.T) {
	idle := func() []Report {
		return []Report{{Pod: "push-1", Answer: worker.SyncResponse{
			LiveRevision: "r1", Handled: 7, Queues: 4, Adapters: []worker.AdapterReport{{Name: "sms", Circuit: worker.CircuitClosed}},
		}}}
	}
	answer := func(change func(*worker.SyncResponse)) []Report {
		reports := idle()
		change(&reports[0].Answer)
		return reports
	}
	for sentence, test := range map[string]struct {
		before, now []Report
		want        bool
	}{
		"an idle pod is not":                     {idle(), idle(), false},
		"a group without pods is not":            {nil, nil, false},
		"a pod that was heard once":              {nil, idle(), true},
		"a pod that went":                        {idle(), nil, true},
		"a pod that does not answer":             {idle(), []Report{{Pod: "push-1", Err: errors.New("timeout")}}, true},
		"a pod that answers again":               {[]Report{{Pod: "push-1", Err: errors.New("timeout")}}, idle(), true},
		"a pod with other limits":                {idle(), answer(func(a *worker.SyncResponse) { a.LiveRevision = "r0" }), true},
		"a pod that cannot take its limits over": {idle(), answer(func(a *worker.SyncResponse) { a.LiveProblem = "?" }), true},
		"a pod that handles a message":           {idle(), answer(func(a *worker.SyncResponse) { a.InFlight = 1 }), true},
		"a pod that has handled one":             {idle(), answer(func(a *worker.SyncResponse) { a.Handled++ }), true},
		"a pod that is parked":                   {idle(), answer(func(a *worker.SyncResponse) { a.Parked = true }), true},
		"a pod whose queue is held":              {idle(), answer(func(a *worker.SyncResponse) { a.QueuesHeld = 1 }), true},
		"a pod that got a queue":                 {idle(), answer(func(a *worker.SyncResponse) { a.Queues = 5 }), true},
		"a pod with an open circuit":             {idle(), answer(func(a *worker.SyncResponse) { a.Adapters[0].Circuit = worker.CircuitOpen }), true},
		"a pod that cannot use its credentials":  {idle(), answer(func(a *worker.SyncResponse) { a.Adapters[0].CredentialProblem = "no key" }), true},
		"a pod that waits for another's probe":   {idle(), answer(func(a *worker.SyncResponse) { a.Adapters[0].Held = true }), true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := busy(test.before, test.now, "r1"); got != test.want {
				t.Errorf("busy is %t, want %t", got, test.want)
			}
		})
	}
}

func TestWhoIsSeenByNobodyElseIsAskedMoreOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for unwatched, period := range map[bool]time.Duration{false: idlePeriod, true: unwatchedPeriod} {
			s := &state{group: Group{Unwatched: unwatched}}
			s.heard(nil)
			if due := time.Until(s.due); due < period/2 || due > period*3/2 {
				t.Errorf("where nobody sees its messages (%t) an idle group is asked again in %v, want about %v", unwatched, due, period)
			}
		}
	})
}
