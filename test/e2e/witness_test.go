// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
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

func TestMQAdminSeesExactlyWhatIsDeclared(t *testing.T) {
	topics := strings.Fields(witness.MQAdmin(t, administered{t}, "topicList"))
	for _, topic := range wantedTopics() {
		if !slices.Contains(topics, topic) {
			t.Errorf("mqadmin topicList does not list %s, only %v", topic, topics)
		}
	}
	orders := paid(t, pay(t, 3*time.Second))
	handled(t, orders, time.Minute)
	for _, name := range scene.Groups() {
		within(t, 30*time.Second, "mqadmin sees that "+name+" has consumed all", func(context.Context) (bool, error) {
			progress := witness.MQAdmin(t, administered{t}, "consumerProgress", "-g", name)
			return strings.Contains(progress, scene.Topic) && strings.Contains(progress, "Consume Diff Total: 0"), nil
		})
	}
}

// wantedTopics are the topics the sample declares, with those of its groups.
func wantedTopics() []string {
	topics := []string{scene.Topic}
	for _, group := range scene.Groups() {
		topics = append(topics, mq.RetryTopic(group), mq.DeadLetterTopic(group))
	}
	return topics
}

func TestAPlainJavaConsumerSeesTheSameMessages(t *testing.T) {
	const group = "java_witness_group"
	makeGroup(t, group)
	seen := map[string]bool{}
	messages := witness.Consume(t, witness.ConsumeOptions{Client: witness.Client{
		NameServer: stage.Env.NameServers[0], Group: group, Topic: scene.Topic,
	}})
	orders := paid(t, pay(t, 3*time.Second))
	handled(t, orders, time.Minute)
	within(t, time.Minute, "the Java consumer has seen every order", func(ctx context.Context) (bool, error) {
		for {
			select {
			case m := <-messages:
				seen[strings.TrimSpace(m.Keys)] = true // the Go client ends its keys with a separator
				continue
			default:
			}
			break
		}
		for _, order := range orders {
			if !seen[order.ID] {
				return false, nil
			}
		}
		return true, nil
	})
}
