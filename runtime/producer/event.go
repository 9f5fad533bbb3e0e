// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// OrderPaid is the type of the event that an order was paid.
const OrderPaid = "OrderPaid"

// OrderEvent is the body of an order's message: the order as it was when the event happened. Expressions of an OrderFlow
// see it as `order`. docs/order-event.md explains it, docs/order-event.schema.json is its schema.
type OrderEvent struct {
	// EventType is what happened, for example OrderPaid; also the message's tag.
	EventType string `json:"eventType"`
	// ID is the order's; also the message's key.
	ID       string `json:"id"`
	MemberID string `json:"memberId"`
	// Phone is in E.164 form: +8613800000000.
	Phone string `json:"phone"`
	// Amount is what was paid, in the currency's smallest unit (cents).
	Amount int64 `json:"amount"`
	// Currency is an ISO 4217 code.
	Currency string    `json:"currency"`
	PaidAt   time.Time `json:"paidAt"`
	// Items are one or more.
	Items   []Item  `json:"items"`
	Address Address `json:"address"`
}

// Item is one line of an order.
type Item struct {
	SKU string `json:"sku"`
	// Quantity is 1 or more.
	Quantity int `json:"quantity"`
}

// Address is where the order goes.
type Address struct {
	Name string `json:"name"`
	// Country is an ISO 3166-1 alpha-2 code.
	Country string `json:"country"`
	City    string `json:"city"`
	Street  string `json:"street"`
	Zip     string `json:"zip,omitempty"`
}

// Message makes the event's message: the JSON body, the order's id as key, the event type as tag.
func (e OrderEvent) Message() (Message, error) {
	if e.EventType == "" || e.ID == "" || len(e.Items) == 0 {
		return Message{}, errors.New("order event: event type, order id and an item are needed")
	}
	body, err := json.Marshal(e)
	if err != nil {
		return Message{}, fmt.Errorf("encode order event: %w", err)
	}
	msg := Message{Keys: []string{e.ID}, Tag: e.EventType, Body: body}
	if err := msg.Validate(); err != nil {
		return Message{}, fmt.Errorf("order event: %w", err)
	}
	return msg, nil
}
