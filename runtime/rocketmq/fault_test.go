// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestFaults has a broker of its own, to hurt. It would create topics for clients that let it.
func TestFaults(t *testing.T) {
	mq := broker.Own(t, rocketmq.Options{AutoCreateTopic: true, Properties: map[string]string{"timerWheelEnable": "false"}})
	t.Run("a missing topic is never created", func(t *testing.T) { missingTopic(t, mq) })
	t.Run("the timer wheel is off", func(t *testing.T) { timerIsOff(t, mq) })
	t.Run("the broker freezes", func(t *testing.T) { brokerFreezes(t, mq) })
	t.Run("the broker dies", func(t *testing.T) { brokerDies(t, mq) })
}

// tally counts how asynchronous sends ended.
type tally struct {
	taken, refused int // by Send
	stored, failed atomic.Int64
	answers        sync.Map // message number → *atomic.Int32: how often it was answered
	sending        int
	slowest        atomic.Int64 // ns
}

func (c *tally) send(ctx context.Context, client *Client) {
	count := new(atomic.Int32)
	c.answers.Store(c.sending, count)
	begin := time.Now()
	err := client.Send(ctx, Message{Body: body(c.sending)}, func(_ Receipt, err error) {
		defer count.Add(1) // at the end: who waits for all answers reads the other counts then
		if took := int64(time.Since(begin)); took > c.slowest.Load() {
			c.slowest.Store(took)
		}
		if err == nil {
			c.stored.Add(1)
		} else {
			c.failed.Add(1)
		}
	})
	c.sending++
	if err == nil {
		c.taken++
		return
	}
	c.refused++
	count.Add(1) // Told at once; a later answer would be one too many.
}

// check says whether every message was answered exactly once.
func (c *tally) check() error {
	var err error
	c.answers.Range(func(n, count any) bool {
		if got := count.(*atomic.Int32).Load(); got != 1 {
			err = fmt.Errorf("message %v was answered %d times", n, got)
		}
		return err == nil
	})
	return err
}

func missingTopic(t *testing.T, mq *rocketmq.Cluster) {
	c := open(t, config(t, mq))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.WaitReady(ctx); !errors.Is(err, ErrNotReady) {
		t.Errorf("WaitReady: %v, want ErrNotReady although the broker creates topics for who asks", err)
	}
}

func brokerDies(t *testing.T, mq *rocketmq.Cluster) {
	const timeout = 2 * time.Second
	c := newClient(t, mq, func(cfg *Config) { cfg.SendTimeout = timeout })
	counts := &tally{}
	ctx := t.Context()
	for counts.stored.Load() == 0 {
		counts.send(ctx, c)
	}
	// In the middle of a stream of messages, so that some are written and not yet answered.
	killed := make(chan error, 1)
	go func() { killed <- mq.KillBroker(rocketmq.DefaultBroker) }()
	for sending := true; sending; {
		select {
		case err := <-killed:
			if err != nil {
				t.Fatal(err)
			}
			sending = false
		default:
			counts.send(ctx, c)
		}
	}
	for range 200 {
		counts.send(ctx, c)
	}
	eventually(t, patience, counts.check)
	if counts.stored.Load() == 0 || counts.failed.Load() == 0 {
		t.Errorf("%d stored and %d failed, want some of both", counts.stored.Load(), counts.failed.Load())
	}
	t.Logf("the slowest answer took %v with a timeout of %v", time.Duration(counts.slowest.Load()), timeout)
	if err := c.SendOneway(ctx, Message{Body: body(0)}); fateOf(t, err) != Unsent {
		t.Errorf("oneway send to a dead broker: %v, want unsent: the refused connection is known here", err)
	}
	if err := mq.StartBroker(ctx, rocketmq.DefaultBroker); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*patience, func() error { _, err := send(t, c, Message{Body: body(0)}); return err })
	eventually(t, patience, func() error { // The broker counts a little later than it confirms.
		if n := len(rocketmqtest.Messages(t, mq, c.cfg.Topic)); n < int(counts.stored.Load()) {
			return fmt.Errorf("%d messages stored, %d were confirmed", n, counts.stored.Load())
		}
		return nil
	})
	if err := counts.check(); err != nil {
		t.Error(err)
	}
	if n := c.Pending(); n != 0 {
		t.Errorf("%d messages pending, want none", n)
	}
}

func brokerFreezes(t *testing.T, mq *rocketmq.Cluster) {
	const timeout, bound = 5 * time.Second, 50
	c := newClient(t, mq, func(cfg *Config) { cfg.SendTimeout, cfg.MaxPending = timeout, bound })
	ctx := t.Context()
	eventually(t, patience, func() error { _, err := send(t, c, Message{Body: body(0)}); return err })
	if err := mq.Pause(rocketmq.DefaultBroker); err != nil {
		t.Fatal(err)
	}
	counts := &tally{}
	for range bound {
		counts.send(ctx, c)
	}
	if counts.taken != bound {
		t.Errorf("%d messages taken, want %d: nothing is known yet", counts.taken, bound)
	}
	begin := time.Now()
	err := c.Send(ctx, Message{Body: body(0)}, func(Receipt, error) { t.Error("done of a refused message was called") })
	if !errors.Is(err, ErrTooManyPending) || fateOf(t, err) != Unsent || time.Since(begin) > timeout {
		t.Errorf("one more message: %v after %v, want ErrTooManyPending at once", err, time.Since(begin))
	}
	eventually(t, patience, counts.check)
	if n := counts.failed.Load(); n != bound {
		t.Errorf("%d of %d messages failed", n, bound)
	}
	// A large message fills the socket: without a timeout of our own the library would block for two minutes.
	begin = time.Now()
	large := Message{Body: incompressible(maxBodyBytes)}
	for err = nil; err == nil && time.Since(begin) < time.Minute; {
		err = c.SendOneway(ctx, large)
	}
	if took := time.Since(begin); err == nil || took > time.Minute {
		t.Errorf("large oneway sends to a frozen broker: %v after %v, want an error within the timeout", err, took)
	}
	if err := mq.Resume(rocketmq.DefaultBroker); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*patience, func() error { _, err := send(t, c, Message{Body: body(0)}); return err })
	if err := counts.check(); err != nil {
		t.Error(err)
	}
}

// incompressible bytes stay as many on the wire: a linear congruential sequence.
func incompressible(n int) []byte {
	out := make([]byte, n)
	x := uint64(1)
	for i := range out {
		x = x*6364136223846793005 + 1442695040888963407
		out[i] = byte(x >> 56)
	}
	return out
}
