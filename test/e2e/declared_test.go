// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/witness"
)

// TestMQAdminSeesExactlyWhatIsDeclared comes first, on a cluster nobody has used: files run in the order of their names, and the other tests leave topics
// behind, as Retain says.
func TestMQAdminSeesExactlyWhatIsDeclared(t *testing.T) {
	topics := slices.DeleteFunc(strings.Fields(witness.MQAdmin(t, administered{t}, scene.Topic, "topicList")), rocketMQsOwn)
	slices.Sort(topics)
	if diff := cmp.Diff(declaredTopics(), topics); diff != "" {
		t.Errorf("mqadmin topicList (-declared +seen); on a cluster that was used before, `make down` first:\n%s", diff)
	}
	var groups []string
	for line := range strings.Lines(witness.MQAdmin(t, administered{t}, declaredGroups()[0], "consumerProgress")) {
		if name, _, _ := strings.Cut(line, " "); strings.TrimSpace(name) != "" && !strings.HasPrefix(name, "#") {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	if diff := cmp.Diff(declaredGroups(), groups); diff != "" {
		t.Errorf("mqadmin consumerProgress (-declared +seen):\n%s", diff)
	}

	orders := paid(t, pay(t, 3*time.Second))
	handled(t, orders, time.Minute)
	for _, name := range declaredGroups() {
		within(t, 30*time.Second, "mqadmin sees that "+name+" has consumed all", func(context.Context) (bool, error) {
			progress := witness.MQAdmin(t, administered{t}, "Consume Diff Total", "consumerProgress", "-g", name)
			return strings.Contains(progress, scene.Topic) && strings.Contains(progress, "Consume Diff Total: 0"), nil
		})
	}
}

func declaredGroups() []string {
	var groups []string
	for _, group := range scene.Groups() {
		groups = append(groups, group)
	}
	slices.Sort(groups)
	return groups
}

// declaredTopics are the topics the sample declares, with those of its groups.
func declaredTopics() []string {
	topics := []string{scene.Topic}
	for _, group := range declaredGroups() {
		topics = append(topics, mq.RetryTopic(group), mq.DeadLetterTopic(group))
	}
	slices.Sort(topics)
	return topics
}

// rocketMQsOwn says of a topic that a broker made it for itself.
func rocketMQsOwn(topic string) bool {
	return strings.HasPrefix(strings.ToLower(topic), "rmq_sys_") || slices.Contains([]string{
		"BenchmarkTest", "DefaultCluster", "DefaultCluster_REPLY_TOPIC", "OFFSET_MOVED_EVENT", "SCHEDULE_TOPIC_XXXX", "SELF_TEST_TOPIC",
		"TBW102", "TRANS_CHECK_MAX_TIME_TOPIC", "broker-a",
	}, topic)
}
