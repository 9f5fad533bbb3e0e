// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestAKeyThatComesInTwoQueuesIsToldOf(t *testing.T) {
	both(t, 3, func(t *testing.T, w *world) {
		o, log := &noting{}, &bytes.Buffer{}
		key := func(cfg *Config) {
			cfg.OrderKey = func(m *rocketmq.Message) (string, error) { return m.Property(rocketmq.PropertyShardingKey), nil }
			cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		}
		x := w.join("one", done, key, o.observe)
		w.awaitOwner(x)
		send := func(queue int, key string) {
			w.sendTo(w.queues[queue], rocketmq.Field{Name: rocketmq.PropertyShardingKey, Value: key})
			n := w.nextMessage
			w.eventually("the message to be handled", 10*time.Second, func() bool { return w.ledger.tally().unique == n })
		}
		for range 2 {
			send(0, "Erika")
			send(1, "Max")
			send(0, "")
			send(1, "")
		}
		if v := x.Violation(); v != (Violation{}) {
			t.Fatalf("%+v, want nothing of keys that keep to their queues, nor of messages without", v)
		}
		send(2, "Erika")
		send(2, "Erika")
		v := x.Violation()
		if v.Messages != 1 || v.Queues != [2]rocketmq.Queue{w.queues[2], w.queues[0]} || v.Last.IsZero() || o.count("OrderViolated") != 1 {
			t.Errorf("%+v, observed %d; want the one message, in which queue it came and where its key had been", v, o.count("OrderViolated"))
		}
		send(0, "Erika")
		x.leave()
		if x.Violation().Messages != 2 || strings.Count(log.String(), "comes in two queues") != 1 || strings.Contains(log.String(), "Erika") {
			t.Errorf("%d messages, and in the log\n%s\nwant 2, said once, and no key", x.Violation().Messages, log.String())
		}
	})
}

func TestAsManyKeysAreRememberedAndNoMore(t *testing.T) {
	var u upstream
	a, b := rocketmq.Queue{ID: 1}, rocketmq.Queue{ID: 2}
	keysOf := func(from int) (keys []key) {
		for i := range rememberedKeys {
			keys = append(keys, key{lane: uint64(from + i + 1)})
		}
		return keys
	}
	first, second := keysOf(0), keysOf(rememberedKeys)
	u.note(a, first)
	if n := u.note(b, first); n != rememberedKeys {
		t.Errorf("%d of %d keys are remembered", n, rememberedKeys)
	}
	u.note(a, second)
	if n := u.note(a, first); n != 0 || len(u.places) != rememberedKeys {
		t.Errorf("%d keys are found in another queue, although newer ones took their places; %d places", n, len(u.places))
	}
}

func TestTheRetryTopicHasKeysOfAllQueues(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		// Sent while nobody holds a lock: later the broker would take what is sent to the retry topic for dead letters.
		for _, q := range []rocketmq.Queue{w.queues[0], w.retryQueue(w.onlyBroker())} {
			w.send(q, rocketmq.OutMessage{Body: []byte(fmt.Sprint(w.nextMessage))})
			w.nextMessage += keys
		}
		x := w.join("one", done, orderly)
		w.eventually("both to be handled", 10*time.Second, func() bool { return w.ledger.tally().unique == 2 })
		if v := x.Violation(); v.Messages != 0 {
			t.Errorf("%+v, want nothing", v)
		}
		if !slices.ContainsFunc(w.ledger.all(), func(e event) bool { return e.queue == w.retryQueue(w.onlyBroker()) }) {
			t.Error("nothing came in the retry topic")
		}
	})
}
