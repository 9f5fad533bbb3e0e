// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

// Steps are the effects every paid order must have by the sample.
func Steps() []ledger.Step {
	return []ledger.Step{
		{Handler: "push", Step: "push", Provider: "sms", Action: "send"},
		{Handler: "warehouse", Step: "create-waybill", Provider: "logistics", Action: "waybill"},
		{Handler: "warehouse", Step: "notify-shipment", Provider: "logistics", Action: "shipment"},
		{Handler: "credit", Step: "credit", Provider: "points", Action: "credit"},
		{Handler: "marketing", Step: "marketing", Provider: "coupons", Action: "grant"},
	}
}

// Groups are the consumer groups of the sample, by handler.
func Groups() map[string]string {
	return map[string]string{
		"push": "push_consumer_group", "warehouse": "warehouse_consumer_group", "credit": "credit_group", "marketing": "marketing_consumer_group",
	}
}

// Judge judges the orders by the stub's calls and the dead letters of the sample's groups.
func (s *Scene) Judge(ctx context.Context, orders []ledger.Order) (ledger.Report, error) {
	calls, err := s.Stub.Calls(ctx)
	if err != nil {
		return ledger.Report{}, err
	}
	dead, err := s.DeadLetters(ctx)
	if err != nil {
		return ledger.Report{}, err
	}
	return ledger.Judge(ledger.Evidence{Orders: orders, Calls: calls, DeadLetters: dead, Steps: Steps()}), nil
}

// DeadLetters reads all dead letters of the sample's groups from the broker.
func (s *Scene) DeadLetters(ctx context.Context) ([]ledger.DeadLetter, error) {
	client := rocketmq.NewClient(rocketmq.Config{})
	defer client.Close()
	mq, err := rocketmq.NewCluster(client, s.Env.NameServers, nil)
	if err != nil {
		return nil, err
	}
	var found []ledger.DeadLetter
	for handler, group := range Groups() {
		letters, err := deadLetters(ctx, mq, client, group)
		if errors.Is(err, rocketmq.ErrNotFound) {
			continue // The group has not been made yet.
		}
		if err != nil {
			return nil, fmt.Errorf("reading the dead letters of %s: %w", group, err)
		}
		for i := range letters {
			letters[i].Handler = handler
		}
		found = append(found, letters...)
	}
	return found, nil
}

func deadLetters(ctx context.Context, mq *rocketmq.Cluster, client *rocketmq.Client, group string) ([]ledger.DeadLetter, error) {
	topic := rocketmq.DeadLetterTopic(group)
	route, err := mq.Route(ctx, topic)
	if err != nil {
		return nil, err
	}
	masters := route.Masters()
	var letters []ledger.DeadLetter
	for _, queue := range route.Readable(topic) {
		addr := masters[queue.Broker]
		end, err := client.MaxOffset(ctx, addr, queue)
		if err != nil {
			return nil, err
		}
		at, err := client.MinOffset(ctx, addr, queue)
		if err != nil {
			return nil, err
		}
		for at < end {
			pulled, err := client.Pull(ctx, addr, rocketmq.PullRequest{
				Group: group, Queue: queue, Offset: at, MaxMessages: 32, Subscription: rocketmq.Subscription{Topic: topic},
			})
			if err != nil {
				return nil, err
			}
			for _, m := range pulled.Messages {
				letters = append(letters, letterOf(&m))
			}
			if pulled.Next <= at {
				return nil, fmt.Errorf("%s did not advance beyond %d: %s", queue, at, pulled.Status)
			}
			at = pulled.Next
		}
	}
	return letters, nil
}

// letterOf leaves the order id empty for a body that is no order: the ledger then accounts nothing by it.
func letterOf(m *rocketmq.Message) ledger.DeadLetter {
	var order struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(m.Body, &order) // an undecodable message is a legitimate dead letter
	return ledger.DeadLetter{OrderID: order.ID, Reason: m.Property(consumer.PropertyReason)}
}
