// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"pgregory.net/rapid"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func topicOf(name string, queues int) remoting.TopicConfig {
	return remoting.TopicConfig{Name: name, ReadQueues: queues, WriteQueues: queues, Perm: remoting.PermRead | remoting.PermWrite}
}

func TestMessagesOfOneKeyAreStoredInTheirOrder(t *testing.T) {
	mq := broker.Shared(t)
	cfg := config(t, mq)
	rocketmqtest.CreateTopicOf(t, mq, topicOf(cfg.Topic, 8))
	c := open(t, cfg)
	waitReady(t, c)
	const each = 100
	// The hash codes Java gives these, modulo 8.
	keys := map[string]int{"order-1": 6, "order-2": 5, "order-9": 6, "订单": 3}
	confirmed := map[string]*atomic.Int32{}
	var answers sync.WaitGroup
	for n := range each {
		for key := range keys {
			answers.Add(1)
			if confirmed[key] == nil {
				confirmed[key] = new(atomic.Int32)
			}
			// All of them at once: only the key's line keeps them apart.
			err := c.Send(t.Context(), Message{OrderKey: key, Body: body(n)}, func(_ Receipt, err error) {
				defer answers.Done()
				if err == nil {
					confirmed[key].Add(1)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	answers.Wait()
	got := map[string][]string{}
	eventually(t, patience, func() error { // The broker counts a little later than it confirms.
		clear(got)
		for _, m := range rocketmqtest.Messages(t, mq, cfg.Topic) {
			key := m.Property("__SHARDINGKEY")
			got[key] = append(got[key], string(m.Body))
			if want := keys[key]; m.Queue.ID != want {
				t.Fatalf("a message of %q is in queue %d; Java's producer would use queue %d", key, m.Queue.ID, want)
			}
		}
		for key := range keys {
			if n := int(confirmed[key].Load()); len(got[key]) < n {
				return fmt.Errorf("%d messages of %q stored, %d confirmed", len(got[key]), key, n)
			}
		}
		return nil
	})
	for key := range keys {
		// A busy broker refuses some; then none of those behind it may be there.
		for n, stored := range got[key] {
			if stored != string(body(n)) {
				t.Fatalf("messages of %q were stored in the order %v", key, got[key])
			}
		}
		if confirmed[key].Load() == 0 {
			t.Errorf("none of %d messages of %q was confirmed", each, key)
		}
	}
	if len(c.lines.of) != 0 {
		t.Errorf("%d lines are left when all was answered", len(c.lines.of))
	}
}

func TestNoKeyMovesToAnotherQueueWhileABrokerIsAway(t *testing.T) {
	mq := broker.Shared(t)
	cfg := config(t, mq)
	rocketmqtest.CreateTopicOf(t, mq, topicOf(cfg.Topic, 4))
	// To a producer that starts while a broker is away, the route shows half the queues only.
	cfg.OrderQueues = []OrderQueues{{Broker: "broker-b", Queues: 4}, {Broker: "broker-a", Queues: 4}}
	c := open(t, cfg)
	waitReady(t, c)
	stored, away := map[string]bool{}, 0
	for n := range 40 {
		key := fmt.Sprintf("order-%d", n)
		_, err := send(t, c, Message{OrderKey: key, Body: body(n)})
		switch {
		case err == nil:
			stored[key] = true
		case errors.Is(err, ErrQueueAway) && fateOf(t, err) == Unsent:
			away++
		default:
			t.Errorf("%s: %v, want it stored, or ErrQueueAway", key, err)
		}
	}
	if away == 0 || len(stored) == 0 {
		t.Errorf("%d keys stored and %d away, want some of both", len(stored), away)
	}
	for _, m := range rocketmqtest.Messages(t, mq, cfg.Topic) {
		// Java's place in the list of eight: the first four are broker-a's.
		place := remoting.JavaHash(m.Property("__SHARDINGKEY")) % 8
		if place = max(place, -place); m.Queue.Broker != "broker-a" || m.Queue.ID != int(place) {
			t.Errorf("%s is in %v, want place %d", m.Property("__SHARDINGKEY"), m.Queue, place)
		}
	}
}

// route is as the library shows one.
func route(brokers ...string) []*primitive.MessageQueue {
	var queues []*primitive.MessageQueue
	for _, b := range brokers {
		for id := range 4 {
			queues = append(queues, &primitive.MessageQueue{BrokerName: b, QueueId: id})
		}
	}
	return queues
}

func TestAKeysQueueIsTheSameWhateverTheRouteShows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.String().Filter(func(s string) bool { return s != "" }).Draw(rt, "key")
		keyed := newKeyedQueues(nil)
		whole := keyed.choose(key, route("b", "a"))
		for _, brokers := range [][]string{{"a"}, {"b"}, {"a", "b"}} {
			got := keyed.choose(key, route(brokers...))
			switch there := slices.Contains(brokers, whole.BrokerName); {
			case there && (got == nil || *got != *whole):
				rt.Fatalf("with %v: %v, want %v", brokers, got, whole)
			case !there && got != nil:
				rt.Fatalf("with %v: %v, want none while %v is away", brokers, got, whole)
			}
		}
	})
	t.Run("given queues are all there is", func(t *testing.T) {
		keyed := newKeyedQueues([]OrderQueues{{"a", 1}})
		for _, key := range []string{"x", "y", "z"} {
			if got := keyed.choose(key, route("a", "b")); got == nil || got.BrokerName != "a" || got.QueueId != 0 {
				t.Errorf("%s: %v, want the one queue", key, got)
			}
		}
	})
}

// lined is what became of messages in a line.
type lined struct {
	c       *Client
	written []string
	ended   map[string]error
	pending map[string]*pending
}

func newLined() *lined {
	return &lined{
		c:     &Client{room: newRoom(10, 10), lines: newLines(), cfg: Config{SendTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)}},
		ended: map[string]error{}, pending: map[string]*pending{},
	}
}

// send is Client.Send with a library that takes everything and answers when the test says.
func (l *lined) send(t *testing.T, id string) {
	t.Helper()
	if err := l.c.room.enter(1); err != nil {
		t.Fatal(err)
	}
	p := newPending(l.c.room, l.c.cfg, id, 1, func(_ Receipt, err error) { l.ended[id] = err })
	p.lines, p.orderKey = l.c.lines, "k"
	p.write = func() error { l.written = append(l.written, id); return nil }
	l.pending[id] = p
	p.watch(l.c.cfg.SendTimeout)
	if l.c.lines.join(p) {
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *lined) answer(t *testing.T, id string, err error) {
	t.Helper()
	l.pending[id].answer(t.Context(), &primitive.SendResult{Status: primitive.SendOK}, err)
}

func TestNothingOvertakesAMessageThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLined()
		for _, id := range []string{"1", "2", "3", "4"} {
			l.send(t, id)
		}
		l.answer(t, "1", nil)
		if !slices.Equal(l.written, []string{"1", "2"}) {
			t.Fatalf("written %v, want the second when the first was stored", l.written)
		}
		l.answer(t, "2", errors.New("surprise"))
		for _, id := range []string{"3", "4"} {
			if err := l.ended[id]; !errors.Is(err, ErrOrderBroken) || fateOf(t, err) != Unsent {
				t.Errorf("message %s: %v, want ErrOrderBroken, unsent", id, err)
			}
		}
		l.send(t, "2 again")
		l.answer(t, "2 again", nil)
		if !slices.Equal(l.written, []string{"1", "2", "2 again"}) {
			t.Errorf("written %v, want nothing that waited behind the one that failed", l.written)
		}
		if len(l.c.lines.of) != 0 || l.c.room.pending() != 0 {
			t.Errorf("%d lines and %d messages are left", len(l.c.lines.of), l.c.room.pending())
		}
	})
}

func TestAMessageThatWaitsForItsTurnTooLongWasNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLined()
		l.send(t, "1")
		time.Sleep(l.c.cfg.SendTimeout / 2)
		l.send(t, "2")
		time.Sleep(time.Hour)
		synctest.Wait()
		if fateOf(t, l.ended["1"]) != Unknown || fateOf(t, l.ended["2"]) != Unsent {
			t.Errorf("the first %v, the one behind it %v; want unknown and unsent", l.ended["1"], l.ended["2"])
		}
		l.answer(t, "1", nil) // Late.
		if !slices.Equal(l.written, []string{"1"}) || len(l.c.lines.of) != 0 || l.c.room.pending() != 0 {
			t.Errorf("written %v, %d lines and %d messages left", l.written, len(l.c.lines.of), l.c.room.pending())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLined()
		l.send(t, "1")
		l.send(t, "2")
		l.pending["1"].timer.Stop() // The first is answered at last, after the second gave up.
		time.Sleep(time.Hour)
		synctest.Wait()
		l.answer(t, "1", nil)
		if fateOf(t, l.ended["2"]) != Unsent || !errors.Is(l.ended["2"], ErrTimeout) || !slices.Equal(l.written, []string{"1"}) {
			t.Errorf("the second %v, written %v; want a timeout, unsent, and it is not written afterwards", l.ended["2"], l.written)
		}
	})
}
