// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/test/ledger"
)

// Stats counts the calls of an action.
type Stats struct {
	Provider string `json:"provider"`
	Action   string `json:"action"`
	Calls    int    `json:"calls"`
	Accepted int    `json:"accepted"`
	Effects  int    `json:"effects"`
}

// compactCall is a ledger.Call in memory: about 80 bytes with its strings.
type compactCall struct {
	at               time.Duration // since the recorder's epoch
	orderID, key     string
	status           int16
	action           uint8
	accepted, effect bool
}

// recorder keeps every call, up to a limit, and which keys had their effect.
type recorder struct {
	limit int
	epoch time.Time

	mu    sync.Mutex
	calls []compactCall
	open  int // calls with a place kept for them
	keys  map[string]bool
}

func newRecorder(limit int) *recorder {
	return &recorder{limit: limit, epoch: time.Now(), keys: map[string]bool{}}
}

// reserve keeps a place for one call; false when there is none left.
func (r *recorder) reserve() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls)+r.open >= r.limit {
		return false
	}
	r.open++
	return true
}

// add records a call in the place kept for it and decides about its effect. Keys are an action's own.
func (r *recorder) add(c compactCall, honourKeys bool) (effect bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	c.effect = c.accepted
	if c.accepted && c.key != "" {
		key := actionDefs[c.action].name + "\x00" + c.key
		c.effect = !honourKeys || !r.keys[key]
		r.keys[key] = true
	}
	r.calls = append(r.calls, c)
	return c.effect
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.keys = nil, map[string]bool{}
}

// snapshot is the calls so far. Calls are only appended, so it stays valid while more arrive.
func (r *recorder) snapshot() []compactCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[:len(r.calls):len(r.calls)]
}

func (r *recorder) export(c compactCall) ledger.Call {
	def := actionDefs[c.action]
	return ledger.Call{
		AtMillis: r.epoch.Add(c.at).UnixMilli(), Provider: def.provider, Action: def.name, OrderID: c.orderID, Key: c.key,
		Status: int(c.status), Accepted: c.accepted, Effect: c.effect,
	}
}

// stats counts all calls, one entry for each action.
func (r *recorder) stats() []Stats {
	out := make([]Stats, len(actionDefs))
	for i, def := range actionDefs {
		out[i].Provider, out[i].Action = def.provider, def.name
	}
	for _, c := range r.snapshot() {
		out[c.action].Calls++
		if c.accepted {
			out[c.action].Accepted++
		}
		if c.effect {
			out[c.action].Effects++
		}
	}
	return out
}
