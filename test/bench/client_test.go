// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"context"

	mq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	core "github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

type handlerFunc func(*rocketmq.Message) outcome.Outcome

func (f handlerFunc) Handle(_ context.Context, m *rocketmq.Message) outcome.Outcome { return f(m) }

// own consumes by this project's consumer.
func (e engine) own(ctx context.Context) error {
	m := newMeter(e)
	config := core.Config{
		NameServers: []string{e.NameServer}, Group: e.Group, Instance: "bench", Topic: e.Topic, Concurrency: e.Concurrency, MaxUncommitted: e.Ahead,
		Handler: handlerFunc(func(message *rocketmq.Message) outcome.Outcome {
			m.count(message.Body)
			return outcome.Succeed()
		}),
	}
	switch e.Order {
	case keyed:
		config.OrderKey = func(m *rocketmq.Message) (string, error) { return m.Property(rocketmq.PropertyShardingKey), nil }
	case ordered:
		config.OrderKey = func(*rocketmq.Message) (string, error) { return "", nil } // those without a key are handled one after the other
	case concurrent:
	}
	c, err := core.New(config)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// library consumes by rocketmq-client-go's push consumer. It has no order within a key, only within a queue.
func (e engine) library(ctx context.Context) error {
	rlog.SetLogLevel("fatal")
	m, call := newMeter(e), e.caller()
	ahead := cmp.Or(e.Ahead, 1000) // about the library's default
	c, err := mq.NewPushConsumer(
		consumer.WithNameServer([]string{e.NameServer}), consumer.WithGroupName(e.Group), consumer.WithInstance("bench"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset), consumer.WithConsumeGoroutineNums(e.Concurrency),
		consumer.WithConsumeMessageBatchMaxSize(e.Batch), consumer.WithPullBatchSize(int32(e.Pull)), consumer.WithConsumerOrder(e.Order == ordered),
		consumer.WithPullThresholdForQueue(int64(ahead)), consumer.WithConsumeConcurrentlyMaxSpan(ahead),
	)
	if err != nil {
		return err
	}
	err = c.Subscribe(e.Topic, consumer.MessageSelector{}, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, message := range messages {
			if err := call(ctx, message); err != nil {
				return consumer.ConsumeRetryLater, err
			}
			m.count(message.Body)
		}
		return consumer.ConsumeSuccess, nil
	})
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	<-ctx.Done() // and the process with it: its shutdown waits for nothing that is measured
	return nil
}
