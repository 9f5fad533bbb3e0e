// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	routePeriod = 30 * time.Second
	// routeHaste is the least time between two readings.
	routeHaste = time.Second
)

// routes are the queues of our topics as the name server last told.
type routes struct {
	// queues by topic; topics in the order they are divided in.
	queues map[string][]rocketmq.Queue
	topics []string
	// failures are those of the last attempt, at readAt; the next is due at dueAt.
	failures      map[string]error
	readAt, dueAt time.Time
}

func newRoutes(cfg Config) routes {
	return routes{
		queues:   map[string][]rocketmq.Queue{},
		failures: map[string]error{},
		topics:   []string{cfg.Topic, rocketmq.RetryTopic(cfg.Group)},
	}
}

// refreshRoutes reads the routes when they are due. What cannot be read stays as it was: consuming goes on without a name server, and a topic whose
// only broker is away has no route.
func (m *membership) refreshRoutes() {
	r := &m.routes
	now := time.Now()
	if m.stray.Swap(false) && r.dueAt.After(r.readAt.Add(routeHaste)) {
		r.dueAt = r.readAt.Add(routeHaste)
	}
	if now.Before(r.dueAt) {
		return
	}
	r.readAt, r.dueAt = now, now.Add(routePeriod)
	for _, topic := range r.topics {
		route, err := m.route(topic)
		if err != nil {
			if len(r.queues[topic]) == 0 {
				r.dueAt = now.Add(routeHaste)
			}
			if r.failures[topic] == nil {
				m.cfg.Log.Warn("cannot read the route, going on with the last", "topic", topic, "error", err)
			}
			r.failures[topic] = err
			continue
		}
		delete(r.failures, topic)
		r.queues[topic] = route.Readable(topic)
		for broker, addr := range route.Masters() {
			m.dispatch.move(broker, addr)
		}
	}
	m.links = m.dispatch.allLinks()
}

func (m *membership) route(topic string) (rocketmq.Route, error) {
	ctx, cancel := m.call()
	defer cancel()
	return m.cluster.Route(ctx, topic)
}
