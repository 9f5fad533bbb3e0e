// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) {
	broker.Main(m, rocketmqtest.Leaks()...)
}

// newProducer makes a producer on a fresh topic of one queue.
func newProducer(t *testing.T, timeout time.Duration) *Producer {
	t.Helper()
	mq := broker.Shared(t)
	b := Binding{
		NameServers: []string{mq.NameServer()}, Topic: rocketmqtest.NewTopic(t, mq), Group: broker.Name(t, "producers"),
		Mode: Sync, SendTimeout: timeout,
	}
	return open(t, b)
}

func open(t *testing.T, b Binding) *Producer {
	t.Helper()
	p, err := New(Config{Binding: b, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// deadBinding names a port where nothing listens.
func deadBinding(timeout time.Duration) Binding {
	return Binding{NameServers: []string{"127.0.0.1:1"}, Topic: "T", Group: "g", Mode: Sync, SendTimeout: timeout}
}

func TestEachModeTellsItsSender(t *testing.T) {
	p := newProducer(t, time.Minute)
	msg := Message{Body: []byte("x")}
	// Send waits for the topic, so the first needs no WaitReady.
	if receipt, err := p.Send(t.Context(), msg); err != nil || receipt.Offset != 0 {
		t.Errorf("Send: %+v, %v; want the first offset", receipt, err)
	}
	succeeded := make(chan Receipt, 1)
	err := p.SendAsync(t.Context(), msg, Callback{
		OnSuccess: func(r Receipt) { succeeded <- r },
		OnError:   func(err error) { t.Errorf("OnError: %v", err); close(succeeded) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if receipt := <-succeeded; receipt.Offset != 1 {
		t.Errorf("OnSuccess: %+v, want the second offset", receipt)
	}
	if err := p.SendOneway(t.Context(), msg); err != nil {
		t.Errorf("SendOneway: %v", err)
	}
}

func TestWithoutBrokerEveryModeFailsInTimeAndSaysSo(t *testing.T) {
	const timeout = time.Second
	p := open(t, deadBinding(timeout))
	msg := Message{Body: []byte("x")}
	unsent := func(name string, err error) {
		t.Helper()
		sendErr := new(SendError)
		if !errors.As(err, &sendErr) || sendErr.Fate != rocketmq.Unsent || !errors.Is(err, rocketmq.ErrNotReady) {
			t.Errorf("%s: %v, want a SendError: unsent, not ready", name, err)
		}
	}
	begin := time.Now()
	_, err := p.Send(t.Context(), msg)
	unsent("Send", err)
	if took := time.Since(begin); took < timeout || took > 30*timeout {
		t.Errorf("Send took %v, want about its timeout of %v", took, timeout)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Send(ctx, msg); !errors.Is(err, context.Canceled) {
		t.Errorf("Send with an ended context: %v, want context.Canceled", err)
	}
	never := Callback{OnSuccess: func(Receipt) { t.Error("OnSuccess called") }, OnError: func(error) { t.Error("OnError called") }}
	unsent("SendAsync", p.SendAsync(t.Context(), msg, never))
	unsent("SendOneway", p.SendOneway(t.Context(), msg))
}

func TestAsyncNeedsBothCallbacks(t *testing.T) {
	p := open(t, deadBinding(time.Second))
	err := p.SendAsync(t.Context(), Message{Body: []byte("x")}, Callback{OnSuccess: func(Receipt) {}})
	if err == nil || !strings.Contains(err.Error(), "both callbacks") {
		t.Errorf("SendAsync without OnError: %v, want it refused", err)
	}
}

// TestOutboxIsRelayedToTheBroker runs the outbox against what the relay really talks to.
func TestOutboxIsRelayedToTheBroker(t *testing.T) {
	p := newProducer(t, time.Minute)
	db, box := database(t, filepath.Join(t.TempDir(), "shop.db"))
	const n = 150
	for i := range n {
		msg := numbered(i)
		msg.ID = p.NewID()
		add(t, db, box, msg, true)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { NewRelay(quiet(box, p)).Run(ctx) })
	for deadline := time.Now().Add(2 * time.Minute); waiting(t, box) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("rows left after two minutes: ", waiting(t, box))
		}
	}
	stop()
	running.Wait()
	if receipt, err := p.Send(t.Context(), numbered(n)); err != nil || receipt.Offset != n {
		t.Errorf("the next message has %+v, %v; want offset %d", receipt, err, n)
	}
}
