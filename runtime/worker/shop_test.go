// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// shop is a topic and a group on a broker, as the operator makes them, and who sends to it.
type shop struct {
	t            *testing.T
	client       *rocketmq.Client
	addr, broker string
	topic, group string
	queues       int
}

// newShop dials with dial; nil is a net.Dialer's.
func newShop(t *testing.T, nameServer string, dial dial.Func) *shop {
	t.Helper()
	return newSecuredShop(t, nameServer, rocketmq.Config{DialContext: dial})
}

// newSecuredShop speaks with the broker as it is told.
func newSecuredShop(t *testing.T, nameServer string, remoting rocketmq.Config) *shop {
	t.Helper()
	s := &shop{t: t, client: rocketmq.NewClient(remoting), topic: broker.Name(t, "Orders"), group: broker.Name(t, "push"), queues: 2}
	t.Cleanup(s.client.Close)
	cluster, err := rocketmq.NewCluster(s.client, []string{nameServer}, nil)
	s.must(err)
	masters, err := cluster.Masters(t.Context(), "")
	s.must(err)
	s.addr, s.broker = masters[0].Master(), masters[0].Name
	s.must(s.client.PutGroup(t.Context(), s.addr, rocketmq.NewGroupConfig(s.group)))
	for topic, queues := range map[string]int{s.topic: s.queues, rocketmq.RetryTopic(s.group): 1, rocketmq.DeadLetterTopic(s.group): 1} {
		s.must(s.client.PutTopic(t.Context(), s.addr, rocketmq.TopicConfig{Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
		for id := range queues {
			if topic != rocketmq.DeadLetterTopic(s.group) {
				s.must(s.client.CommitOffset(t.Context(), s.addr, s.group, s.queue(topic, id), 0))
			}
		}
		eventually(t, "the route of "+topic, func() bool {
			_, err := cluster.Route(t.Context(), topic)
			return err == nil
		})
	}
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) queue(topic string, id int) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: s.broker, ID: id}
}

// pay sends the message that orders from..to-1 were paid.
func (s *shop) pay(from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		s.send(i, rocketmq.OutMessage{Body: []byte(paid(i))})
	}
}

// paid is an order's body.
func paid(i int) string {
	return fmt.Sprintf(`{"id":"o%d","eventType":"OrderPaid","phone":%q}`, i, phone)
}

func (s *shop) send(i int, m rocketmq.OutMessage) {
	s.t.Helper()
	m.Properties = rocketmq.Fields{{Name: rocketmq.PropertyUniqueKey, Value: fmt.Sprint("U", i)}}
	request := rocketmq.SendRequest{Group: "shop", Queue: s.queue(s.topic, i%s.queues), Messages: []rocketmq.OutMessage{m}}
	_, err := s.client.Send(s.t.Context(), s.addr, request)
	for errors.Is(err, rocketmq.ErrBusy) { // on a machine that is
		_, err = s.client.Send(s.t.Context(), s.addr, request)
	}
	s.must(err)
}

// stored is how many messages a topic's first queue ever got.
func (s *shop) stored(topic string) int64 {
	s.t.Helper()
	n, err := s.client.MaxOffset(s.t.Context(), s.addr, s.queue(topic, 0))
	s.must(err)
	return n
}

// deadLetters are the group's, from the oldest.
func (s *shop) deadLetters() (letters []rocketmq.Message) {
	s.t.Helper()
	topic := rocketmq.DeadLetterTopic(s.group)
	for end := s.stored(topic); int64(len(letters)) < end; {
		pulled, err := s.client.Pull(s.t.Context(), s.addr, rocketmq.PullRequest{
			Group: s.group, Queue: s.queue(topic, 0), Offset: int64(len(letters)), MaxMessages: 32, Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
		})
		s.must(err)
		letters = append(letters, pulled.Messages...)
	}
	return letters
}

func (s *shop) committed() (sum int64) {
	s.t.Helper()
	for id := range s.queues {
		n, err := s.client.QueryOffset(s.t.Context(), s.addr, s.group, s.queue(s.topic, id))
		s.must(err)
		sum += n
	}
	return sum
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
