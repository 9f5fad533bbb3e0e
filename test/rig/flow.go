// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

// Queues is how many a flow's topic has.
const Queues = 8

// Flow is a topic and a group, and what was paid.
type Flow struct {
	*Lab
	Topic, Group string

	t      testing.TB
	broker string

	mu   sync.Mutex
	paid []Paid
}

// Paid is an order whose message the broker confirmed.
type Paid struct {
	ID, Key string
	Queue   int
	Offset  int64
	// AtMillis is when it was confirmed, in milliseconds since 1970.
	AtMillis int64
}

// NewFlow makes topic and group, as the operator does.
func NewFlow(t testing.TB, l *Lab) *Flow {
	t.Helper()
	return newFlow(t, l, broker.Name(t, "Orders"))
}

// Beside is another group on the flow's topic.
func (f *Flow) Beside(t testing.TB) *Flow {
	t.Helper()
	return newFlow(t, f.Lab, f.Topic)
}

func newFlow(t testing.TB, l *Lab, topic string) *Flow {
	t.Helper()
	f := &Flow{Lab: l, t: t, Topic: topic, Group: broker.Name(t, "push")}
	cluster, err := rocketmq.NewCluster(l.client, []string{l.NameServer()}, nil)
	must(t, err)
	masters, err := cluster.Masters(t.Context(), "")
	must(t, err)
	f.broker = masters[0].Name
	must(t, l.client.PutGroup(t.Context(), l.addr, rocketmq.NewGroupConfig(f.Group)))
	for topic, queues := range map[string]int{f.Topic: Queues, rocketmq.RetryTopic(f.Group): 1, rocketmq.DeadLetterTopic(f.Group): 1} {
		must(t, l.client.PutTopic(t.Context(), l.addr, rocketmq.TopicConfig{
			Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite,
		}))
		for id := range queues {
			if topic != rocketmq.DeadLetterTopic(f.Group) {
				must(t, l.client.CommitOffset(t.Context(), l.addr, f.Group, f.queue(topic, id), 0))
			}
		}
		if !Await(t.Context(), patience, func() bool { _, err := cluster.Route(t.Context(), topic); return err == nil }) {
			t.Fatalf("topic %s has no route", topic)
		}
	}
	return f
}

func (f *Flow) queue(topic string, id int) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: f.broker, ID: id}
}

// Pay pays so many orders a second, with ids that begin with the prefix, until stop, which returns when the last one is confirmed. While the broker is away
// the same order is sent again and again.
func (f *Flow) Pay(prefix string, perSecond int) (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			f.confirm(n%Queues, Paid{ID: fmt.Sprint(prefix, n), Key: fmt.Sprint("key-", n%keys)})
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	return sync.OnceFunc(func() { cancel(); done.Wait() })
}

// PayOne pays one order.
func (f *Flow) PayOne(id string) { f.confirm(0, Paid{ID: id, Key: id}) }

const (
	// batch orders travel together where many are paid.
	batch = 32
	// breath is after how many orders who pays looks how far behind the group is.
	breath = 8 * batch * Queues
)

// PayMany pays so many orders as fast as the broker takes them, while the group is at most so many behind; done is called with how many are paid. It ends
// early when the broker, or the group, does not come back.
func (f *Flow) PayMany(prefix string, n, behind int, done func(paid int)) {
	for paid := 0; paid < n && f.t.Context().Err() == nil; {
		if paid%breath == 0 && !Await(f.t.Context(), patience, func() bool { lag := f.lag(); return lag >= 0 && lag < int64(behind) }) {
			f.t.Errorf("after %d orders the group is still more than %d behind, or the broker away, after %v", paid, behind, patience)
			return
		}
		var orders [Queues][]Paid
		for range min(batch*Queues, n-paid) {
			q := paid % Queues
			orders[q] = append(orders[q], Paid{ID: fmt.Sprint(prefix, paid), Key: fmt.Sprint("key-", paid%keys)})
			paid++
		}
		for q, together := range orders {
			if len(together) > 0 && !f.confirm(q, together...) {
				return
			}
		}
		done(paid)
	}
}

// sendTimeout is how long an order system waits for the broker before it sends again.
const sendTimeout = 3 * time.Second

// confirm sends orders to a queue, all at once, until the broker has confirmed them; false: it did not.
func (f *Flow) confirm(queue int, orders ...Paid) (confirmed bool) {
	var messages []rocketmq.OutMessage
	for _, o := range orders {
		body := fmt.Sprintf(`{"id":%q,"key":%q,"eventType":"OrderPaid","phone":"+8613800000000","paidAt":%q}`, o.ID, o.Key, time.Now().UTC().Format(time.RFC3339))
		messages = append(messages, rocketmq.OutMessage{
			Body: []byte(body), Properties: rocketmq.Fields{{Name: rocketmq.PropertyKeys, Value: o.ID}, {Name: rocketmq.PropertyUniqueKey, Value: o.ID}},
		})
	}
	confirmed = Await(f.t.Context(), patience, func() bool {
		ctx, cancel := context.WithTimeout(f.t.Context(), sendTimeout)
		defer cancel()
		result, err := f.client.Send(ctx, f.addr, rocketmq.SendRequest{Group: "shop", Queue: f.queue(f.Topic, queue), Messages: messages})
		if err != nil {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for i, o := range orders {
			f.paid = append(f.paid, Paid{o.ID, o.Key, queue, result.Offset + int64(i), time.Now().UnixMilli()})
		}
		return true
	})
	if !confirmed {
		f.t.Errorf("order %s was not confirmed in %v", orders[0].ID, patience)
	}
	return confirmed
}

// Paid is what was confirmed so far.
func (f *Flow) Paid() []Paid {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paid[:len(f.paid):len(f.paid)]
}

// Committed are the group's offsets of the topic's queues; nil while the broker does not tell.
func (f *Flow) Committed() []int64 {
	ctx, cancel := context.WithTimeout(f.t.Context(), sendTimeout)
	defer cancel()
	offsets := make([]int64, Queues)
	for id := range offsets {
		var err error
		if offsets[id], err = f.client.QueryOffset(ctx, f.addr, f.Group, f.queue(f.Topic, id)); err != nil {
			return nil
		}
	}
	return offsets
}

// lag counts what the group has not committed of the topic and of its retries that are due; -1 while the broker does not tell.
func (f *Flow) lag() (lag int64) {
	for topic, queues := range map[string]int{f.Topic: Queues, rocketmq.RetryTopic(f.Group): 1} {
		for id := range queues {
			end, err := f.client.MaxOffset(f.t.Context(), f.addr, f.queue(topic, id))
			if err != nil {
				return -1
			}
			committed, err := f.client.QueryOffset(f.t.Context(), f.addr, f.Group, f.queue(topic, id))
			if err != nil {
				return -1
			}
			lag += end - committed
		}
	}
	return lag
}

// SentBack counts the attempts that were counted: each that failed made the broker store the message for another.
func (f *Flow) SentBack() int64 {
	n, err := f.client.MaxOffset(f.t.Context(), f.addr, f.queue(rocketmq.RetryTopic(f.Group), 0))
	must(f.t, err)
	return n
}

// letters are the group's dead letters.
func (f *Flow) letters() (letters []ledger.DeadLetter) {
	f.t.Helper()
	for _, m := range f.read(rocketmq.DeadLetterTopic(f.Group), 0) {
		letters = append(letters, ledger.DeadLetter{Handler: handler, OrderID: m.Property(rocketmq.PropertyKeys), Reason: m.Property("ORDERFLOW_REASON")})
	}
	return letters
}

// copies is how often each order's message lies in the topic.
func (f *Flow) copies() map[string]int {
	f.t.Helper()
	copies := map[string]int{}
	for id := range Queues {
		for _, m := range f.read(f.Topic, id) {
			copies[m.Property(rocketmq.PropertyKeys)]++
		}
	}
	return copies
}

// read reads a queue from its beginning to its end.
func (f *Flow) read(topic string, id int) (messages []rocketmq.Message) {
	f.t.Helper()
	q := f.queue(topic, id)
	end, err := f.client.MaxOffset(f.t.Context(), f.addr, q)
	must(f.t, err)
	for next := int64(0); next < end; {
		pulled, err := f.client.Pull(f.t.Context(), f.addr, rocketmq.PullRequest{
			Group: f.Group, Queue: q, Offset: next, MaxMessages: 32, Subscription: rocketmq.Subscription{Topic: topic, Expression: "*"},
		})
		must(f.t, err)
		messages, next = append(messages, pulled.Messages...), pulled.Next
	}
	return messages
}
