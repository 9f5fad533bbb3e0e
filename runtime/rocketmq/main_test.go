// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) {
	broker.Main(m, rocketmqtest.Leaks()...)
}

// patience is the send timeout of tests that are not about time: what is quick on an idle machine is not on a busy one.
const patience = time.Minute

// newClient makes a client on a fresh topic of one queue.
func newClient(t *testing.T, mq broker.RocketMQ, change ...func(*Config)) *Client {
	t.Helper()
	cfg := config(t, mq)
	for _, f := range change {
		f(&cfg)
	}
	rocketmqtest.CreateTopic(t, mq, cfg.Topic)
	c := open(t, cfg)
	waitReady(t, c)
	return c
}

// config is a client's on a topic that is not created yet.
func config(t *testing.T, mq broker.RocketMQ) Config {
	return Config{
		NameServers: []string{mq.NameServer()}, Topic: broker.Name(t, "Orders"), Group: broker.Name(t, "producers"),
		SendTimeout: patience, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), // not the test's: the library keeps the first, and its goroutines outlive tests
	}
}

func open(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func waitReady(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	receipt Receipt
	err     error
}

// send sends and waits for the answer.
func send(t *testing.T, c *Client, msg Message) (Receipt, error) {
	t.Helper()
	answers := make(chan answer, 1)
	if err := c.Send(t.Context(), msg, func(r Receipt, err error) { answers <- answer{r, err} }); err != nil {
		return Receipt{}, err
	}
	select {
	case a := <-answers:
		return a.receipt, a.err
	case <-time.After(2 * patience):
		t.Fatal("no answer long after the send timeout")
		return Receipt{}, nil
	}
}

// eventually polls until f answers nil.
func eventually(t *testing.T, within time.Duration, f func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", within, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// fateOf is the fate a send error tells; 0 for nil.
func fateOf(t *testing.T, err error) Fate {
	t.Helper()
	if err == nil {
		return 0
	}
	sendErr := new(SendError)
	if !errors.As(err, &sendErr) {
		t.Fatalf("error %v is a %T, want a *SendError", err, err)
	}
	return sendErr.Fate
}

func body(n int) []byte { return fmt.Appendf(nil, "message %d", n) }
