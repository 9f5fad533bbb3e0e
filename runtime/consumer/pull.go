// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"sync"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// ErrStopped: the consumer hands out nothing any more.
var ErrStopped = errors.New("the consumer has stopped")

// Delivery is one message of a batch. Complete must be called once.
type Delivery struct {
	// Message is the message.
	Message *rocketmq.Message
	// Context is cancelled when the time to stop, or to hand the queue over, is up.
	Context context.Context

	consumer *Consumer
	task     task
}

// Complete says what happened to the message, and does what follows from it at the broker: it may block until the broker took a retry or a dead letter.
func (d *Delivery) Complete(o outcome.Outcome) { d.consumer.conclude(d.task, o) }

// Batch returns between 1 and limit messages, in Pull mode. It waits until there is one; the error is the context's, or ErrStopped.
//
// Messages are fetched for a batch, never ahead of it. Pulls of several queues may answer one batch; what they bring beyond limit, less than one batch
// of each queue, is the next one's. Of several calls one waits for the other.
func (c *Consumer) Batch(ctx context.Context, limit int) ([]*Delivery, error) {
	select {
	case c.batching <- struct{}{}:
		defer func() { <-c.batching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		tasks, err := c.dispatch.takeBatch(ctx, limit)
		if err != nil {
			return nil, err
		}
		deliveries := make([]*Delivery, 0, len(tasks))
		for _, t := range tasks {
			if o, unfit := c.unfit(&t); unfit {
				c.conclude(t, o)
				continue
			}
			deliveries = append(deliveries, &Delivery{Message: t.message, Context: t.queue.ctx, consumer: c, task: t})
		}
		if len(deliveries) > 0 {
			return deliveries, nil
		}
	}
}

// takeBatch waits for messages, and has them fetched.
func (d *dispatcher) takeBatch(ctx context.Context, limit int) ([]task, error) {
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.wake.Broadcast()
	})
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.demand = 0 }()
	for !d.closed {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var tasks []task
		for len(tasks) < limit {
			t, ok := d.next()
			if !ok {
				break
			}
			tasks = append(tasks, t)
		}
		if len(tasks) > 0 {
			return tasks, nil
		}
		d.demand = limit
		for _, q := range d.queues {
			q.wake()
		}
		d.sleep()
	}
	return nil, ErrStopped
}

// drive runs the handler in Pull mode: it asks for a batch when there is a free hand, for as many messages as there are free hands.
func (c *Consumer) drive() {
	free := make(chan struct{}, c.cfg.Concurrency)
	for range c.cfg.Concurrency {
		free <- struct{}{}
	}
	var busy sync.WaitGroup
	defer busy.Wait()
	for range free {
		batch, err := c.Batch(context.Background(), 1+len(free))
		if err != nil { // stopped
			return
		}
		for i, d := range batch {
			if i > 0 {
				<-free // there are as many as were asked for: only this goroutine takes
			}
			busy.Go(func() {
				d.Complete(c.invoke(d.task))
				free <- struct{}{}
			})
		}
	}
}
