// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"testing"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// RunTransactions checks what is relied on in a broker of transactions: [rocketmq.Client.SendHalf] says it. The target's brokers ask a second
// after a message was sent, and every second: transactionTimeOut and transactionCheckInterval.
func RunTransactions(t *testing.T, newTarget func(t *testing.T) Target) {
	for _, c := range []struct {
		says string
		test func(*testing.T, *env)
	}{
		{"a half message is there when it is committed, and never when it is rolled back", endTransaction},
		{"a producer group is asked what is undecided, until it says", checkTransaction},
		{"who has left its producer group is not asked", checkWhoIsThere},
	} {
		t.Run(c.says, func(t *testing.T) { c.test(t, newEnv(t, newTarget(t))) })
	}
}

// asked are the questions a producer is sent.
type asked chan question

type question struct {
	half    rocketmq.Half
	message *rocketmq.Message
	err     error
}

// producer is one more client, which joins a producer group.
func (e *env) producer(t *testing.T, group, id string) (*rocketmq.Client, asked) {
	t.Helper()
	questions := make(asked, 64)
	c := e.client(t, rocketmq.Config{OnRequest: func(r *rocketmq.Request) {
		if r.Op() != rocketmq.OpCheckTransaction {
			return
		}
		half, m, err := r.Half()
		select {
		case questions <- question{half, m, err}:
		default: // nobody looks any more
		}
	}})
	must(t, c.Heartbeat(e, e.addr, rocketmq.Heartbeat{ClientID: id, Producers: []rocketmq.Producer{{Group: group}}}))
	return c, questions
}

// sendHalf stores a message of the producer group, whose body is its id.
func (e *env) sendHalf(t *testing.T, q rocketmq.Queue, group, id string) rocketmq.Half {
	t.Helper()
	half, err := e.SendHalf(e, e.addr, rocketmq.SendRequest{Group: group, Queue: q, Messages: []rocketmq.OutMessage{{Body: []byte(id), Properties: rocketmq.Fields{
		{Name: rocketmq.PropertyUniqueKey, Value: id}, {Name: rocketmq.PropertyTransaction, Value: "true"},
		{Name: rocketmq.PropertyProducerGroup, Value: group}, {Name: rocketmq.PropertyTags, Value: "paid"},
	}}}})
	must(t, err)
	if half.ID != id || half.Topic != q.Topic {
		t.Errorf("the half message is %+v, want %s of %s", half, id, q.Topic)
	}
	return half
}

// wantCommitted checks that the messages are in the queue, and no others.
func (e *env) wantCommitted(t *testing.T, q rocketmq.Queue, ids ...string) {
	t.Helper()
	var end int64
	eventually(t, "committed messages", func() bool {
		var err error
		end, err = e.MaxOffset(e, e.addr, q)
		must(t, err)
		return end >= int64(len(ids))
	})
	if end != int64(len(ids)) {
		t.Errorf("%d messages are there, want %v", end, ids)
	}
	group := e.group(t)
	for i, id := range ids {
		m := e.pull(t, rocketmq.PullRequest{Group: group, Queue: q, Offset: int64(i)})[0]
		if string(m.Body) != id || m.Property(rocketmq.PropertyUniqueKey) != id || m.Property(rocketmq.PropertyTags) != "paid" || m.Topic != q.Topic {
			t.Errorf("message %d is %q with %v, want %s", i, m.Body, m, id)
		}
	}
}

func endTransaction(t *testing.T, e *env) {
	group, q := name(), e.queue(e.topic(t), 1)
	rolledBack, committed := e.sendHalf(t, q, group, "rolled-back"), e.sendHalf(t, q, group, "committed")
	if committed.Offset == rolledBack.Offset || committed.PhysicalOffset == rolledBack.PhysicalOffset {
		t.Errorf("two half messages are one: %+v, %+v", rolledBack, committed)
	}
	if end, err := e.MaxOffset(e, e.addr, q); err != nil || end != 0 {
		t.Errorf("%d half messages can be seen, %v", end, err)
	}
	wantErr(t, "end a transaction of another group", e.EndTransaction(e, e.addr, name(), committed, rocketmq.Commit, false), rocketmq.ErrRefused)
	must(t, e.EndTransaction(e, e.addr, group, rolledBack, rocketmq.Rollback, false))
	must(t, e.EndTransaction(e, e.addr, group, committed, rocketmq.Commit, false))
	e.wantCommitted(t, q, "committed")
}

func checkTransaction(t *testing.T, e *env) {
	group, q := name(), e.queue(e.topic(t), 0)
	c, questions := e.producer(t, group, "p@1")
	half := e.sendHalf(t, q, group, "undecided")
	for n := range 2 {
		select {
		case <-e.Done():
			t.Fatalf("asked %d times, want twice", n)
		case got := <-questions:
			must(t, got.err)
			if got.half.ID != half.ID || got.half.Topic != half.Topic || got.message.Topic != q.Topic || string(got.message.Body) != "undecided" ||
				got.message.Property(rocketmq.PropertyTags) != "paid" {
				t.Errorf("asked about %+v, %v; want %+v", got.half, got.message, half)
			}
			if n == 1 {
				must(t, c.EndTransaction(e, e.addr, group, got.half, rocketmq.Commit, true))
			}
		}
	}
	e.wantCommitted(t, q, "undecided")
}

func checkWhoIsThere(t *testing.T, e *env) {
	group, q := name(), e.queue(e.topic(t), 0)
	left, gone := e.producer(t, group, "p@1")
	_, there := e.producer(t, group, "p@2")
	must(t, left.UnregisterProducer(e, e.addr, "p@1", group))
	e.sendHalf(t, q, group, "undecided")
	for range 2 {
		select {
		case <-e.Done():
			t.Fatal("nobody was asked")
		case <-gone:
			t.Fatal("who has left was asked")
		case got := <-there:
			must(t, got.err)
		}
	}
}
