// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// callTimeout bounds every call but pulls.
const callTimeout = 3 * time.Second

// Consumer is one member of a consumer group. Make it with New, run it once.
type Consumer struct {
	cfg      Config
	client   *rocketmq.Client
	cluster  *rocketmq.Cluster
	dispatch *dispatcher
	members  *membership
	clock    *clock
	// seed is that of the hashes of order keys.
	seed maphash.Seed
	// upstream remembers which queues order keys came in.
	upstream upstream
	jumpLog  jumpLog
	// calls bounds the calls, handling the handlers: both outlive the context of Run, which only begins the stop.
	calls, handling       context.Context
	endCalls, endHandling context.CancelFunc
	// run is the context of Run: when it ends we leave.
	run context.Context
	// batching is a lock that one Batch at a time takes.
	batching chan struct{}
	// commits is the pulse of the loop of commits.
	commits pulse
	// tasks are all goroutines but those that run handlers, which are hands.
	tasks, hands sync.WaitGroup
}

// New returns a consumer that is not yet connected, or says what is wrong with its configuration.
func New(cfg Config) (*Consumer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Consumer{cfg: cfg, dispatch: newDispatcher(cfg.Observer, cfg.Journal, cfg.Mode == Pull, cfg.MaxBytes), batching: make(chan struct{}, 1), seed: maphash.MakeSeed(), clock: newClock()}
	c.calls, c.endCalls = context.WithCancel(context.Background())
	c.handling, c.endHandling = context.WithCancel(context.Background())
	c.members = newMembership(c)
	remoting := cfg.Remoting
	remoting.OnRequest = c.onRequest
	remoting.OnClose = c.onClose
	c.client = rocketmq.NewClient(remoting)
	if c.cluster, err = rocketmq.NewCluster(c.client, cfg.NameServers, nil); err != nil {
		return nil, fmt.Errorf("configure the consumer of group %q: %w", cfg.Group, err)
	}
	return c, nil
}

func (c *Consumer) onRequest(r *rocketmq.Request) {
	if r.Op() == rocketmq.OpNotifyMembers {
		c.members.poke()
		return
	}
	_ = r.Reply(rocketmq.CodeNotSupported, "this consumer answers no such request", nil) // who asked has gone if it cannot be sent
}

func (c *Consumer) onClose(addr string, err error) {
	c.cfg.Log.Info("connection ended", "addr", addr, "cause", err)
	c.dispatch.broken(addr)
	c.members.poke()
}

// stragglers is how long handlers that were cancelled are waited for.
const stragglers = time.Second

// Run consumes until ctx ends, and then hands every queue over: running handlers end, their offsets are committed, the locks given back, the
// registration taken back. Handlers still running after Config.Grace are cancelled and their messages left uncommitted, unless they end as dead letters;
// the error says so if some do not return even then.
func (c *Consumer) Run(ctx context.Context) error {
	defer c.client.Close()
	defer c.endCalls()
	c.run = ctx
	c.startHands()
	c.tasks.Go(c.commitLoop)
	c.members.run(ctx)
	c.endHandling()
	c.dispatch.close()
	c.endCalls()
	c.tasks.Wait()
	return c.awaitHands()
}

// startHands starts what runs handlers.
func (c *Consumer) startHands() {
	switch {
	case c.cfg.Mode == Push:
		for range c.cfg.Concurrency {
			c.hands.Go(c.work)
		}
	case c.cfg.Handler != nil:
		c.hands.Go(c.drive)
	}
}

func (c *Consumer) awaitHands() error {
	ended := make(chan struct{})
	go func() {
		c.hands.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(stragglers):
		return fmt.Errorf("stop the consumer of group %s: %d handlers ignore that their context was cancelled", c.cfg.Group, c.Snapshot().InFlight)
	}
}

// call bounds one call.
func (c *Consumer) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.calls, callTimeout)
}

// subscription is what this consumer wants of a topic.
func (c *Consumer) subscription(topic string) rocketmq.Subscription {
	s := rocketmq.Subscription{Topic: topic, Version: c.members.epoch}
	if topic == c.cfg.Topic {
		s.Type, s.Expression = c.cfg.ExpressionType, c.cfg.Expression
	}
	return s
}
