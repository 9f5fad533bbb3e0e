// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"encoding/json"
	"fmt"
	"time"
)

// Mode is what is wrong with an action.
type Mode string

// The modes. Only Healthy, Drip and Big do the work they were called for.
const (
	// Healthy answers 200 after the latency.
	Healthy Mode = "healthy"
	// Down resets the connection at once.
	Down Mode = "down"
	// Blackhole takes the call and never answers.
	Blackhole Mode = "blackhole"
	// Status answers Behaviour.Status after the latency; with RetryAfter set, that header too.
	Status Mode = "status"
	// Garbage answers 200 with bytes that are not JSON.
	Garbage Mode = "garbage"
	// Drip does the work and answers correctly, one byte a second.
	Drip Mode = "drip"
	// Error200 answers 200 with a body that says it failed, as many gateways do.
	Error200 Mode = "error200"
	// Big does the work and answers 10 MiB of correct JSON.
	Big Mode = "big"
	// Reset answers half a body, then resets the connection.
	Reset Mode = "reset"
	// Redirect answers 307 to where the call went, for ever.
	Redirect Mode = "redirect"
)

var modes = []Mode{Healthy, Down, Blackhole, Status, Garbage, Drip, Error200, Big, Reset, Redirect}

// Duration is a time.Duration that JSON shows as a string such as "100ms".
type Duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("a duration is a string such as \"100ms\": %w", err)
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// Behaviour is how an action behaves; what an update leaves out stays as it is.
type Behaviour struct {
	Mode Mode `json:"mode"`
	// Share is the part of calls that get the mode, the others are healthy; 0 and 1 are all.
	Share float64 `json:"share,omitempty"`
	// Latency is the median of the log-normal distribution.
	Latency Duration `json:"latency"`
	// Sigma is the distribution's σ; 0 makes every call equally slow.
	Sigma float64 `json:"sigma"`
	// Status is what mode "status" answers.
	Status int `json:"status,omitempty"`
	// RetryAfter is the Retry-After header of mode "status" and of the limit's 429, in whole seconds; 0 sends none.
	RetryAfter Duration `json:"retryAfter,omitempty"`
	// RatePerSecond limits the provider's whole account; above it calls are answered 429. 0 is no limit.
	RatePerSecond float64 `json:"ratePerSecond,omitempty"`
	// Burst is how many calls the limit admits at once; default 1.
	Burst int `json:"burst,omitempty"`
	// Capacity is how many calls an action works at at once without getting slower. With more of them each takes as much longer as the square of the overload,
	// so that less gets done. 0 is no limit.
	Capacity int `json:"capacity,omitempty"`
	// HonourKeys makes a call with an Idempotency-Key seen before a duplicate without effect.
	HonourKeys bool `json:"honourKeys"`
}

func (b Behaviour) validate() error {
	known := false
	for _, mode := range modes {
		known = known || b.Mode == mode
	}
	switch {
	case !known:
		return fmt.Errorf("mode %q is unknown; want one of %v", b.Mode, modes)
	case b.Share < 0 || b.Share > 1:
		return fmt.Errorf("share is a part from 0 to 1, got %v", b.Share)
	case b.Latency < 0 || b.Sigma < 0 || b.RatePerSecond < 0 || b.Burst < 0 || b.RetryAfter < 0 || b.Capacity < 0:
		return fmt.Errorf("latency, sigma, ratePerSecond, burst, retryAfter and capacity cannot be negative")
	case b.Mode == Status && (b.Status < 200 || b.Status > 599):
		return fmt.Errorf("mode %q needs a status from 200 to 599, got %d", Status, b.Status)
	}
	return nil
}

// healthy are the demo's third parties.
func healthy(latency time.Duration) Behaviour {
	return Behaviour{Mode: Healthy, Latency: Duration(latency), Sigma: 0.2, HonourKeys: true}
}

// crowded is how long a call takes that would take so long alone, with so many at once.
func (b Behaviour) crowded(alone time.Duration, atOnce int) time.Duration {
	if b.Capacity == 0 || atOnce <= b.Capacity {
		return alone
	}
	overload := float64(atOnce) / float64(b.Capacity)
	return time.Duration(float64(alone) * overload * overload)
}

// actionDef is an action of a provider; its path is /provider/name.
type actionDef struct {
	provider, name string
	latency        time.Duration
}

var actionDefs = []actionDef{
	{"sms", "send", 100 * time.Millisecond},
	{"logistics", "waybill", 350 * time.Millisecond},
	{"logistics", "shipment", 150 * time.Millisecond},
	{"points", "credit", 200 * time.Millisecond},
	{"coupons", "grant", 200 * time.Millisecond},
}
