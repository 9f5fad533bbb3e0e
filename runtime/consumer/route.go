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
	// reading says that an attempt is under way; it ends in answers.
	reading bool
	answers chan map[string]routeAnswer // by topic
}

type routeAnswer struct {
	route rocketmq.Route
	err   error
}

func newRoutes(cfg Config) routes {
	topics := []string{cfg.Topic, rocketmq.RetryTopic(cfg.Group)}
	if cfg.Model == Broadcasting {
		topics = topics[:1]
	}
	return routes{
		queues:   map[string][]rocketmq.Queue{},
		failures: map[string]error{},
		topics:   topics,
		answers:  make(chan map[string]routeAnswer, 1),
	}
}

// refreshRoutes has the routes read when they are due, aside: a name server that hangs holds up nothing.
func (m *membership) refreshRoutes() {
	r := &m.routes
	select {
	case answers := <-r.answers:
		r.reading = false
		m.follow(answers)
	default:
	}
	now := time.Now()
	if m.stray.Swap(false) && r.dueAt.After(r.readAt.Add(routeHaste)) {
		r.dueAt = r.readAt.Add(routeHaste)
	}
	if r.reading || now.Before(r.dueAt) {
		return
	}
	r.reading, r.readAt, r.dueAt = true, now, now.Add(routePeriod)
	m.tasks.Go(func() {
		r.answers <- m.readRoutes(r.topics)
		m.poke()
	})
}

func (m *membership) readRoutes(topics []string) map[string]routeAnswer {
	answers := map[string]routeAnswer{}
	for _, topic := range topics {
		ctx, cancel := m.call()
		route, err := m.cluster.Route(ctx, topic)
		cancel()
		answers[topic] = routeAnswer{route, err}
	}
	return answers
}

// follow goes by what was read. What could not be read stays as it was: consuming goes on without a name server, and a topic whose only broker is away has
// no route.
func (m *membership) follow(answers map[string]routeAnswer) {
	r := &m.routes
	for topic, a := range answers {
		if a.err != nil {
			if len(r.queues[topic]) == 0 {
				r.dueAt = time.Now().Add(routeHaste)
			}
			if r.failures[topic] == nil {
				m.cfg.Log.Warn("cannot read the route, going on with the last", "topic", topic, "error", a.err)
			}
			r.failures[topic] = a.err
			continue
		}
		delete(r.failures, topic)
		r.queues[topic] = a.route.Readable(topic)
		for broker, addr := range a.route.Masters() {
			m.dispatch.move(broker, addr)
		}
	}
	m.links = m.dispatch.allLinks()
	if queues, read := r.queues[m.cfg.Topic]; read && m.broadcasts() {
		m.remember(queues)
	}
}
