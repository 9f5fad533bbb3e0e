// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	rmq "github.com/apache/rocketmq-client-go/v2"
)

const (
	minConnectPause = 100 * time.Millisecond
	maxConnectPause = 5 * time.Second
)

// libraryProducer is a started producer of the library. It exists only started: the library panics when an unstarted one
// is shut down.
type libraryProducer struct {
	rmq.Producer
	selector    *selector
	nameServers []string // the addresses it was made with
}

// connect makes the client ready, then waits for the end and shuts the library down.
func (c *Client) connect(ctx context.Context) {
	defer close(c.stopped)
	if lib := c.locate(ctx); lib != nil {
		c.library.Store(lib)
		close(c.ready)
		<-ctx.Done()
		c.shutdown(lib)
	}
}

// locate tries until the topic is located; nil when ctx ended before. A producer whose start failed is used up, and one
// made with addresses the names no longer have would ask the wrong servers for two minutes: both are made anew. Otherwise
// it is kept, because the library's clients leave goroutines and sockets behind for up to two minutes each.
func (c *Client) locate(ctx context.Context) *libraryProducer {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = minConnectPause, maxConnectPause, 2
	var lib *libraryProducer
	for {
		var err error
		if lib, err = c.renew(ctx, lib); err == nil {
			err = c.probe(ctx, lib)
		}
		if err == nil {
			return lib
		}
		if ctx.Err() == nil {
			c.cause.Store(&err)
			c.cfg.Logger.Warn("rocketmq topic not located, trying again", "topic", c.cfg.Topic, "error", err)
		}
		select {
		case <-ctx.Done():
			if lib != nil {
				c.shutdown(lib)
			}
			return nil
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// renew answers a started producer for the name servers' present addresses: the old one while they are the same.
func (c *Client) renew(ctx context.Context, old *libraryProducer) (*libraryProducer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := c.resolver.resolve(ctx)
	if err != nil {
		return old, err
	}
	if old != nil {
		if slices.Equal(old.nameServers, addrs) {
			return old, nil
		}
		c.shutdown(old)
	}
	return c.start(addrs)
}

func (c *Client) start(addrs []string) (*libraryProducer, error) {
	sel := &selector{probe: primitive.NewMessage(c.cfg.Topic, nil), keyed: c.keyed}
	p, err := rmq.NewProducer(
		producer.WithNsResolver(c.resolver),
		producer.WithGroupName(c.cfg.Group),
		// Two clients with one name share a connection, credentials and callbacks; so each gets a name of its own.
		producer.WithInstanceName(uuid.NewString()),
		producer.WithSendMsgTimeout(c.cfg.SendTimeout),
		// The library's default of 3 would multiply the time a sender waits.
		producer.WithRetry(0),
		// Empty: the default names a template topic, and a broker would create our topic from it unasked.
		producer.WithCreateTopicKey(""),
		producer.WithQueueSelector(sel),
		producer.WithCredentials(primitive.Credentials{
			AccessKey: c.cfg.Credentials.AccessKey, SecretKey: c.cfg.Credentials.SecretKey,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("create producer: %w", err)
	}
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start producer: %w", err)
	}
	return &libraryProducer{Producer: p, selector: sel, nameServers: addrs}, nil
}

// probe lets the library look up the topic's route. The lookup ignores contexts and takes up to 6 s for each name
// server, so it runs beside us and is left to end by itself when ctx ends first.
func (c *Client) probe(ctx context.Context, lib *libraryProducer) error {
	done := make(chan error, 1)
	go func() { done <- lib.SendOneWay(ctx, lib.selector.probe) }()
	select {
	case err := <-done:
		if lib.selector.located.Load() {
			return nil
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) shutdown(lib *libraryProducer) {
	if err := lib.Shutdown(); err != nil {
		c.cfg.Logger.Warn("rocketmq producer not shut down cleanly", "error", err)
	}
}
