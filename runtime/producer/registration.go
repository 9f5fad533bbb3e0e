// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

const (
	// heartbeatEvery is well below the 120 s after which brokers forget a client.
	heartbeatEvery = 10 * time.Second
	// heartbeatPause is between tries while a broker or the name servers are away.
	heartbeatPause = time.Second
	// heartbeatTimeout bounds one look at the route and one heartbeat.
	heartbeatTimeout = 3 * time.Second
)

// registration keeps a client a member of its producer group at every broker of the topic: a broker asks what became of a
// transaction only on a connection that a heartbeat registered, and forgets it with the connection.
type registration struct {
	topic, group, clientID string
	logger                 *slog.Logger
	woken                  chan struct{}
	ready                  chan struct{} // closed once

	mu      sync.Mutex
	cause   error
	queues  []remoting.Queue  // those of the brokers that know us
	masters map[string]string // all
}

func newRegistration(b Binding, logger *slog.Logger) *registration {
	return &registration{
		topic: b.Topic, group: b.Group, clientID: "producer@" + uuid.NewString(), logger: logger,
		woken: make(chan struct{}, 1), ready: make(chan struct{}),
	}
}

// wake makes run register again at once.
func (r *registration) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// run registers until ctx ends.
func (r *registration) run(ctx context.Context, client *remoting.Client, cluster *remoting.Cluster) {
	for first := true; ; {
		err := r.register(ctx, client, cluster)
		r.mu.Lock()
		r.cause = err
		somewhere := len(r.queues) > 0
		r.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		pause, woken := heartbeatPause, (chan struct{})(nil) // a failure would itself wake us
		if err == nil {
			pause, woken = heartbeatEvery, r.woken
		} else {
			r.logger.Warn("not a member of the producer group everywhere, trying again", "group", r.group, "error", err)
		}
		if first && somewhere {
			first = false
			close(r.ready)
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-time.After(pause):
		}
	}
}

// register looks up the route and tells every master. One that is away does not keep the others from being told.
func (r *registration) register(ctx context.Context, client *remoting.Client, cluster *remoting.Cluster) error {
	routeCtx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	route, err := cluster.Route(routeCtx, r.topic)
	if err != nil {
		return fmt.Errorf("locate topic %s: %w", r.topic, err)
	}
	queues := route.Writable(r.topic)
	if len(queues) == 0 {
		return fmt.Errorf("topic %s has no queue that takes messages", r.topic)
	}
	masters, away := route.Masters(), map[string]bool{}
	for name, addr := range masters {
		beatCtx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
		beatErr := client.Heartbeat(beatCtx, addr, remoting.Heartbeat{ClientID: r.clientID, Producers: []remoting.Producer{{Group: r.group}}})
		cancel()
		if beatErr != nil {
			away[name] = true
			err = fmt.Errorf("register with broker %s: %w", name, beatErr)
		}
	}
	if there := slices.DeleteFunc(queues, func(q remoting.Queue) bool { return away[q.Broker] }); len(there) > 0 {
		r.mu.Lock()
		r.queues, r.masters = there, masters
		r.mu.Unlock()
	}
	return err
}

// wait waits until a broker knows us.
func (r *registration) wait(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cause != nil {
			return fmt.Errorf("%w: %w", rocketmq.ErrNotReady, r.cause)
		}
		return rocketmq.ErrNotReady
	}
}

// queue is the nth of the topic's queues whose brokers know us, and its broker's address. It is called when ready.
func (r *registration) queue(n uint64) (remoting.Queue, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[n%uint64(len(r.queues))]
	return q, r.masters[q.Broker]
}

// leave says goodbye, so that brokers ask others from now on. One that does not hear it finds out by the connection's end.
func (r *registration) leave(client *remoting.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), heartbeatTimeout)
	defer cancel()
	r.mu.Lock()
	masters := r.masters
	r.mu.Unlock()
	for _, addr := range masters {
		if err := client.UnregisterProducer(ctx, addr, r.clientID, r.group); err != nil {
			r.logger.Debug("left the producer group without a goodbye", "error", err)
		}
	}
}
