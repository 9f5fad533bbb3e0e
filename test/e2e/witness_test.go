// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/witness"
)

// administered runs RocketMQ's own mqadmin against the scene's cluster.
type administered struct{ t *testing.T }

func (a administered) Admin(ctx context.Context, args ...string) (string, error) {
	distribution, err := rocketmq.Fetch(ctx, nil)
	if err != nil {
		return "", err
	}
	return distribution.Admin(ctx, stage.Env.NameServers[0], a.t.TempDir(), args...)
}

func TestAPlainJavaConsumerSeesTheSameMessages(t *testing.T) {
	const group = "java_witness_group"
	makeGroup(t, group)
	messages := witness.Consume(t, witness.ConsumeOptions{Client: witness.Client{
		NameServer: stage.Env.NameServers[0], Group: group, Topic: scene.Topic,
	}})
	var seen sync.Map // of order ids; the consumer begins with the first message the topic ever had
	go func() {
		for m := range messages {
			seen.Store(strings.TrimSpace(m.Keys), true) // the Go client ends its keys with a separator
		}
	}()
	orders := paid(t, pay(t, 3*time.Second))
	handled(t, orders, time.Minute)
	within(t, time.Minute, "the Java consumer has seen every order", func(context.Context) (bool, error) {
		for _, order := range orders {
			if _, ok := seen.Load(order.ID); !ok {
				return false, nil
			}
		}
		return true, nil
	})
}
