// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestBrokerHasWhatWasSent(t *testing.T) {
	mq := broker.Shared(t)
	c := newClient(t, mq)
	msg := Message{ID: c.NewID(), Keys: []string{"order-1", "member-2"}, Tag: "OrderPaid", Properties: map[string]string{"color": "red"}, Body: body(1)}
	receipt, err := send(t, c, msg)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Receipt{ID: msg.ID, Broker: "broker-a"}); receipt != want {
		t.Errorf("receipt %+v, want %+v", receipt, want)
	}
	if err := c.SendOneway(t.Context(), Message{Body: bytes.Repeat(body(2), 1000)}); err != nil {
		t.Errorf("SendOneway: %v", err)
	}
	eventually(t, patience, func() error {
		if n := len(rocketmqtest.Messages(t, mq, c.cfg.Topic)); n != 2 {
			return fmt.Errorf("%d messages stored, want the oneway one too", n)
		}
		return nil
	})
	stored := rocketmqtest.Messages(t, mq, c.cfg.Topic)
	got := map[string]string{"body": string(stored[0].Body)}
	for _, name := range []string{"KEYS", "TAGS", "UNIQ_KEY", "color"} {
		got[name] = stored[0].Property(name)
	}
	want := map[string]string{"body": "message 1", "KEYS": "order-1 member-2", "TAGS": "OrderPaid", "UNIQ_KEY": msg.ID, "color": "red"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored message (-want +got):\n%s", diff)
	}
	if !bytes.Equal(stored[1].Body, bytes.Repeat(body(2), 1000)) || !stored[1].Compressed() {
		t.Errorf("a long body was stored with %d bytes, compressed %v; want it whole and compressed", len(stored[1].Body), stored[1].Compressed())
	}
}

func TestHostNameOfNameServer(t *testing.T) {
	mq := broker.Shared(t)
	_, port, err := net.SplitHostPort(mq.NameServer())
	if err != nil {
		t.Fatal(err)
	}
	// The library itself answers "IP addr error" to a name.
	c := newClient(t, mq, func(cfg *Config) { cfg.NameServers = []string{"localhost:" + port} })
	if _, err := send(t, c, Message{Body: body(1)}); err != nil {
		t.Error(err)
	}
}

func TestClientStartsBeforeItsClusterIsThere(t *testing.T) {
	mq := broker.Shared(t)
	host, port, err := net.SplitHostPort(mq.NameServer())
	if err != nil {
		t.Fatal(err)
	}
	// In turn: the name does not resolve, it resolves to a host where nothing listens, and at last to the right one;
	// and the topic is only created then.
	var stage atomic.Int32
	cfg := config(t, mq)
	cfg.NameServers = []string{"mq.example:" + port}
	cfg.Lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		switch stage.Load() {
		case 0:
			return nil, errors.New("no such host")
		case 1:
			return []netip.Addr{netip.MustParseAddr("127.0.0.254")}, nil
		default:
			return []netip.Addr{netip.MustParseAddr(host)}, nil
		}
	}
	c := open(t, cfg)
	for _, want := range []string{"no such host", "no broker serves|route info not found|refused", "route info not found"} {
		eventually(t, patience, func() error {
			_, err := send(t, c, Message{Body: body(1)})
			if !errors.Is(err, ErrNotReady) {
				t.Fatalf("send before ready: %v, want ErrNotReady", err)
			}
			for alternative := range strings.SplitSeq(want, "|") {
				if strings.Contains(err.Error(), alternative) {
					return nil
				}
			}
			return fmt.Errorf("send before ready: %w, want the reason %q", err, want)
		})
		if fate := fateOf(t, c.SendOneway(t.Context(), Message{Body: body(1)})); fate != Unsent {
			t.Errorf("oneway send before ready: %v, want %v", fate, Unsent)
		}
		stage.Add(1)
	}
	rocketmqtest.CreateTopic(t, mq, cfg.Topic)
	waitReady(t, c)
	if stored := rocketmqtest.Messages(t, mq, cfg.Topic); len(stored) != 0 {
		t.Errorf("%d messages stored, want none of those that were refused", len(stored))
	}
}

func TestProducerIsMadeAnewOnlyWhenItsNameServersMoved(t *testing.T) {
	address := "127.0.0.1"
	cfg := Config{NameServers: []string{"mq.example:1"}, Topic: "T", Group: "g"}.withDefaults()
	lookup := func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(address)}, nil
	}
	c := &Client{cfg: cfg, resolver: &resolver{servers: cfg.NameServers, lookup: lookup, logger: cfg.Logger}}
	renew := func(old *libraryProducer) *libraryProducer {
		t.Helper()
		lib, err := c.renew(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		return lib
	}
	first := renew(nil)
	if renew(first) != first {
		t.Error("made anew at the same addresses: each leaves goroutines and a socket behind")
	}
	address = "127.0.0.2"
	second := renew(first)
	defer c.shutdown(second)
	if second == first {
		t.Error("kept although the name servers moved: it would ask the old ones for up to two minutes")
	}
}

func TestTwoClientsOfOneGroupInOneProcess(t *testing.T) {
	mq := broker.Shared(t)
	one := newClient(t, mq)
	other := open(t, one.cfg)
	waitReady(t, other)
	one.Close()
	// Sharing a name, they would share the connection that is closed now.
	if _, err := send(t, other, Message{Body: body(1)}); err != nil {
		t.Error(err)
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	mq := broker.Shared(t)
	c := newClient(t, mq)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Send(ctx, Message{Body: body(1)}, func(Receipt, error) { t.Error("done was called") })
	if fateOf(t, err) != Unsent || !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v, want unsent and context.Canceled", err)
	}
	if err := c.SendOneway(ctx, Message{Body: body(1)}); fateOf(t, err) != Unsent || !errors.Is(err, context.Canceled) {
		t.Errorf("SendOneway: %v, want unsent and context.Canceled", err)
	}
	if stored := rocketmqtest.Messages(t, mq, c.cfg.Topic); len(stored) != 0 {
		t.Errorf("%d messages stored, want none", len(stored))
	}
}

func TestSenderThatLeavesTakesNothingWithIt(t *testing.T) {
	c := newClient(t, broker.Shared(t))
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan answer, 1)
	if err := c.Send(ctx, Message{Body: body(1)}, func(r Receipt, err error) { answers <- answer{r, err} }); err != nil {
		t.Fatal(err)
	}
	cancel() // As a request's context ends when the request is answered.
	if a := <-answers; a.err != nil {
		t.Errorf("answer after the sender's context ended: %v, want none", a.err)
	}
}

func TestOneSendersDeadlineDoesNotTearDownTheConnectionOfAll(t *testing.T) {
	c := newClient(t, broker.Shared(t))
	for n := range 200 {
		var others sync.WaitGroup
		for range 4 {
			others.Go(func() {
				// Passes when the send has begun: sometimes before, sometimes during, sometimes after it writes.
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Microsecond)
				defer cancel()
				if err := c.SendOneway(ctx, Message{Body: body(n)}); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("SendOneway: %v", err)
				}
			})
		}
		// A busy broker may refuse; what must not happen is that the answer is lost with the connection.
		if _, err := send(t, c, Message{Body: body(n)}); err != nil && fateOf(t, err) != Refused {
			t.Fatalf("message %d beside senders in a hurry: %v", n, err)
		}
		others.Wait()
	}
}

func TestMessagesBehindABoundAreRefusedAtOnce(t *testing.T) {
	room := newRoom(2, 10)
	enter := func(size int, want error) {
		t.Helper()
		if err := room.enter(size); !errors.Is(err, want) {
			t.Errorf("enter(%d): %v, want %v", size, err, want)
		}
	}
	enter(6, nil)
	enter(5, ErrTooManyPending) // bytes
	enter(4, nil)
	enter(0, ErrTooManyPending) // messages
	room.leave(6)
	enter(6, nil)
	empty := room.close()
	enter(0, ErrClosed)
	room.leave(6)
	select {
	case <-empty:
		t.Error("empty while one is inside")
	default:
	}
	room.leave(4)
	<-empty
	<-room.close()
}

func TestPanickingCallbackIsLoggedAndLeavesNothingBehind(t *testing.T) {
	var log syncBuffer
	c := newClient(t, broker.Shared(t), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if err := c.Send(t.Context(), Message{Body: body(1)}, func(Receipt, error) { panic("canary") }); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, func() error {
		if !strings.Contains(log.String(), "canary") || c.Pending() != 0 {
			return fmt.Errorf("%d pending, log:\n%s", c.Pending(), log.String())
		}
		return nil
	})
}

func TestCloseEndsEverything(t *testing.T) {
	t.Run("before it was ready, and again", func(t *testing.T) {
		c := open(t, Config{NameServers: []string{"127.0.0.1:1"}, Topic: "T", Group: "g", Logger: slog.New(slog.DiscardHandler)})
		c.Close() // The library panics when a producer is shut down that was not started.
		c.Close()
		if err := c.WaitReady(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("WaitReady: %v, want ErrClosed", err)
		}
	})
	t.Run("after the answers to all that was sent", func(t *testing.T) {
		c := newClient(t, broker.Shared(t))
		var answered atomic.Int32
		for n := range 100 {
			if err := c.Send(t.Context(), Message{Body: body(n)}, func(_ Receipt, err error) {
				if err == nil {
					answered.Add(1)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		if n := answered.Load(); n != 100 {
			t.Errorf("%d of 100 answered with success when Close returned", n)
		}
		if _, err := send(t, c, Message{Body: body(1)}); !errors.Is(err, ErrClosed) || fateOf(t, err) != Unsent {
			t.Errorf("send after Close: %v, want unsent and ErrClosed", err)
		}
	})
}

// syncBuffer is a bytes.Buffer for concurrent use.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
