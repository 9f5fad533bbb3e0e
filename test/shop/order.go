// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"fmt"
	"math/rand/v2"

	"github.com/orderflow-dev/orderflow/runtime/producer"
)

func sku(n int) string { return fmt.Sprintf("sku-%03d", n) }

func skus() []string {
	out := make([]string, articles)
	for n := range out {
		out[n] = sku(n)
	}
	return out
}

// makeOrder draws an order. The phone numbers are of a range that is given to nobody.
func makeOrder(id string, random *rand.Rand) producer.OrderEvent {
	items := make([]producer.Item, 1+random.IntN(3))
	for i := range items {
		items[i] = producer.Item{SKU: sku(random.IntN(articles)), Quantity: 1 + random.IntN(2)}
	}
	member := random.IntN(10_000)
	return producer.OrderEvent{
		EventType: producer.OrderPaid,
		ID:        id,
		MemberID:  fmt.Sprintf("member-%04d", member),
		Phone:     fmt.Sprintf("+1555010%04d", member),
		Amount:    int64(100 + random.IntN(100_000)),
		Currency:  "CNY",
		Items:     items,
		Address: producer.Address{
			Name: "A. Buyer", Country: "CN", City: "Hangzhou", Street: fmt.Sprintf("%d West Lake Road", 1+member), Zip: "310000",
		},
	}
}
