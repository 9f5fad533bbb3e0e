// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Told is what the order system learned of its message's sending.
type Told string

const (
	// Pending is nothing yet.
	Pending Told = "pending"
	// Accepted means that the broker confirmed it; for a oneway send, only that it left.
	Accepted Told = "accepted"
	// Failed means that it certainly did not reach the broker.
	Failed Told = "failed"
	// Unknown means that it may or may not have reached the broker.
	Unknown Told = "unknown"
)

// Order is a paid order as the order system's database has it: a line of its GET /orders.
type Order struct {
	ID string `json:"id"`
	// PaidAtMillis is when the payment was committed, in milliseconds since 1970.
	PaidAtMillis int64 `json:"paidAtMs"`
	// Sent is how: Sync, Async, Oneway, or Coupled when the order system called the third parties itself.
	Sent string `json:"sent"`
	Told Told   `json:"told"`
	// Outbox says that an outbox row was written with the payment.
	Outbox bool `json:"outbox"`
	// Relayed says that this row has left the outbox: the broker confirmed the message.
	Relayed bool `json:"relayed"`
}

// Call is a recorded call of a third party: a line of the stub's GET /calls.
type Call struct {
	// AtMillis is when the call arrived, in milliseconds since 1970.
	AtMillis int64  `json:"atMs"`
	Provider string `json:"provider"`
	Action   string `json:"action"`
	OrderID  string `json:"orderId"`
	// Key is the call's Idempotency-Key header.
	Key string `json:"key,omitempty"`
	// Status is what was answered; 0 is no whole answer.
	Status int `json:"status"`
	// Accepted says that the provider did its work for this call.
	Accepted bool `json:"accepted"`
	// Effect says that this work had an effect: false for a repeated key where keys are honoured.
	Effect bool `json:"effect"`
}

// DeadLetter is a message found in a handler's dead letters.
type DeadLetter struct {
	Handler string `json:"handler"`
	OrderID string `json:"orderId"`
	Reason  string `json:"reason"`
}

// Step is one effect that every paid order must have, and where it can be seen.
type Step struct {
	Handler, Step    string
	Provider, Action string
}

// Read decodes NDJSON, for example Read[Order] of GET /orders.
func Read[T any](r io.Reader) ([]T, error) {
	var out []T
	decoder := json.NewDecoder(bufio.NewReader(r))
	for {
		var item T
		err := decoder.Decode(&item)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode line %d: %w", len(out)+1, err)
		}
		out = append(out, item)
	}
}
