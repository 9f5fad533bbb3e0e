// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rocketmqtest helps tests that send to a real broker: it makes topics, reads back what the broker stored, and
// knows which goroutines the producer's library leaves behind.
package rocketmqtest

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// patience bounds what is quick on an idle machine.
const patience = 2 * time.Minute

// Leaks are goroutines that the library leaves behind: a package's, for good, and some of each client's after Shutdown. Its timers sleep once before they look
// whether the client was closed, and its connections to name servers are never closed but time out after two minutes.
func Leaks() []goleak.Option {
	const library = "github.com/apache/rocketmq-client-go/v2/internal"
	var options []goleak.Option
	for _, function := range []string{
		library + ".(*rmqClient).Start.func1.1", // name servers' names, sleeps 10 s
		library + ".(*rmqClient).Start.func1.3", // heartbeats, sleeps 1 s
		library + ".(*rmqClient).Start.func1.4", // consumers' offsets, sleeps 10 s
		library + "/remote.(*remotingClient).receiveResponse",
		"github.com/patrickmn/go-cache.(*janitor).Run", // of a cache the library makes when it is imported
	} {
		options = append(options, goleak.IgnoreAnyFunction(function))
	}
	return options
}

// NewTopic creates a topic of one queue, so that offsets count its messages, and returns its name.
func NewTopic(t testing.TB, mq broker.RocketMQ) string {
	t.Helper()
	topic := broker.Name(t, "Orders")
	CreateTopic(t, mq, topic)
	return topic
}

// CreateTopic creates a topic of one queue under the given name and waits until clients can find it.
func CreateTopic(t testing.TB, mq broker.RocketMQ, topic string) {
	t.Helper()
	CreateTopicOf(t, mq, rocketmq.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite})
}

// CreateTopicOf creates a topic at every broker and waits until clients can find it.
func CreateTopicOf(t testing.TB, mq broker.RocketMQ, topic rocketmq.TopicConfig) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, cluster := connect(t, mq)
	info, err := cluster.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range info.Brokers {
		if err := client.PutTopic(ctx, b.Master(), topic); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, err := cluster.Route(ctx, topic.Name)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("topic %s was created, but the name server has no route: %v", topic.Name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Messages reads everything a topic holds at the brokers that are there, queue by queue.
func Messages(t testing.TB, mq broker.RocketMQ, topic string) []rocketmq.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, cluster := connect(t, mq)
	route, err := cluster.Route(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	group := broker.Name(t, "reader")
	var messages []rocketmq.Message
	for _, queue := range route.Readable(topic) {
		addr := route.Masters()[queue.Broker]
		if err := client.PutGroup(ctx, addr, rocketmq.NewGroupConfig(group)); err != nil {
			t.Fatal(err)
		}
		end, err := client.MaxOffset(ctx, addr, queue)
		if err != nil {
			t.Fatal(err)
		}
		for next := int64(0); next < end; {
			result, err := client.Pull(ctx, addr, rocketmq.PullRequest{
				Group: group, Queue: queue, Offset: next, MaxMessages: 32,
				Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
			})
			if err != nil {
				t.Fatal(err)
			}
			messages = append(messages, result.Messages...)
			next = result.Next
		}
	}
	return messages
}

func connect(t testing.TB, mq broker.RocketMQ) (*rocketmq.Client, *rocketmq.Cluster) {
	t.Helper()
	client := rocketmq.NewClient(rocketmq.Config{})
	t.Cleanup(client.Close)
	cluster, err := rocketmq.NewCluster(client, []string{mq.NameServer()}, net.DefaultResolver)
	if err != nil {
		t.Fatal(err)
	}
	return client, cluster
}
