// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	mq "github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// queues is how many a topic has.
const queues = 8

// lab is a broker on a core of its own, and what reaches it.
type lab struct {
	*mq.Cluster
	client  *rocketmq.Client
	cluster *rocketmq.Cluster
	addr    string
	address string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{client: rocketmq.NewClient(rocketmq.Config{}), address: rig.OwnAddress(t)} // workers never dial loopback
	t.Cleanup(l.client.Close)
	l.Cluster = broker.Own(t, mq.Options{Host: l.address, HeapMiB: 1024, JavaOptions: []string{"-XX:TieredStopAtLevel=4"}})
	l.addr = l.BrokerAddr(mq.DefaultBroker)
	for _, pid := range l.Processes() {
		pin(t, pid, brokerCore)
	}
	var err error
	l.cluster, err = rocketmq.NewCluster(l.client, []string{l.NameServer()}, nil)
	must(t, err)
	return l
}

// newTopic makes a topic.
func (l *lab) newTopic(t *testing.T) string {
	t.Helper()
	topic := broker.Name(t, "T")
	l.putTopic(t, topic, queues)
	return topic
}

// newGroup makes a group that begins at the topic's first message.
func (l *lab) newGroup(t *testing.T, topic string) string {
	t.Helper()
	group := broker.Name(t, "G")
	must(t, l.client.PutGroup(t.Context(), l.addr, rocketmq.NewGroupConfig(group)))
	retry := rocketmq.RetryTopic(group)
	l.putTopic(t, retry, 1)
	l.putTopic(t, rocketmq.DeadLetterTopic(group), 1)
	for id := range queues {
		must(t, l.client.CommitOffset(t.Context(), l.addr, group, l.queue(topic, id), 0))
	}
	must(t, l.client.CommitOffset(t.Context(), l.addr, group, l.queue(retry, 0), 0))
	return group
}

func (l *lab) putTopic(t *testing.T, topic string, queues int) {
	t.Helper()
	must(t, l.client.PutTopic(t.Context(), l.addr, rocketmq.TopicConfig{
		Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite,
	}))
	if !rig.Await(t.Context(), time.Minute, func() bool { _, err := l.cluster.Route(t.Context(), topic); return err == nil }) {
		t.Fatalf("topic %s has no route", topic)
	}
}

func (l *lab) queue(topic string, id int) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: mq.DefaultBroker, ID: id}
}

// fill sends n messages to the queues in turn, in batches. Each has an order key, which is that of others of the same queue.
func (l *lab) fill(t *testing.T, topic string, n int, body func(i int) []byte) {
	t.Helper()
	const batch, keysPerQueue = 64, 1000
	for from := 0; from < n; from += batch {
		id := from / batch % queues
		var messages []rocketmq.OutMessage
		for i := from; i < min(from+batch, n); i++ {
			messages = append(messages, rocketmq.OutMessage{Body: body(i), Properties: rocketmq.Fields{
				{Name: rocketmq.PropertyUniqueKey, Value: fmt.Sprintf("%032X", i)},
				{Name: rocketmq.PropertyShardingKey, Value: fmt.Sprintf("buyer-%d-%d", id, i%keysPerQueue)},
			}})
		}
		l.send(t, l.queue(topic, id), messages...)
	}
}

// blank is a body that nobody reads.
func blank(int) []byte { return bytes.Repeat([]byte("x"), bodySize) }

// send sends messages, again while the broker is too busy to store them.
func (l *lab) send(t *testing.T, q rocketmq.Queue, messages ...rocketmq.OutMessage) {
	t.Helper()
	for {
		_, err := l.client.Send(t.Context(), l.addr, rocketmq.SendRequest{Group: "bench", Queue: q, Messages: messages})
		if !errors.Is(err, rocketmq.ErrBusy) {
			must(t, err)
			return
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
