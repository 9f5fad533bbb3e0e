// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/broker"
	"github.com/orderflow-dev/orderflow/test/witness"
)

// javaMember notes what a Java push consumer of the group handled.
type javaMember struct {
	mu     sync.Mutex
	bodies map[string]int
	// left is closed when it has left the group, and all it handled is noted.
	left chan struct{}
}

// joinJava starts one, which keeps order if the world does, and leaves when t ends.
func joinJava(t *testing.T, w *world) *javaMember {
	x := &javaMember{bodies: map[string]int{}, left: make(chan struct{})}
	messages := witness.Consume(t, witness.ConsumeOptions{Client: witness.Client{NameServer: w.nameServer, Group: w.group, Topic: w.topic}, Orderly: w.way.ordered()})
	go func() {
		defer close(x.left)
		for m := range messages {
			x.mu.Lock()
			x.bodies[string(m.Body)]++
			x.mu.Unlock()
		}
	}()
	return x
}

func (x *javaMember) handled() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.bodies)
}

func TestAGroupMigratesFromTheJavaClientAndBack(t *testing.T) {
	t.Parallel()
	for _, way := range everyWay() {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			way.in(migrateAndBack)(t, onBroker(t, broker.Shared(t).NameServer(), 4))
		})
	}
}

// migrateAndBack is the story of a group of one Java member: ours joins beside it, the Java member leaves, another joins beside ours, and ours leaves. Messages are
// sent all the time.
func migrateAndBack(t *testing.T, w *world) {
	const patience = 60 * time.Second // a Java member that consumes in order may keep a queue for 20 s after it has given it up
	var before, after *javaMember
	var ours *member
	var n int
	stop := w.produce(100)
	handle := between(2*time.Millisecond, 20*time.Millisecond)
	t.Run("a Java member, and ours beside it", func(t *testing.T) {
		before = joinJava(t, w)
		w.eventually("the Java member to work", patience, func() bool { return before.handled() > 50 })
		ours = w.join("ours", handle)
		w.eventually("both to have their share", patience, func() bool { return ours.owns() == 2 && w.ledger.by(ours) > 50 })
	})
	w.eventually("ours to have everything", patience, func() bool { return ours.owns() == 4 })
	had := w.ledger.by(ours)
	w.eventually("ours to work alone", patience, func() bool { return w.ledger.by(ours) > had+50 })
	t.Run("another Java member beside it, and alone", func(t *testing.T) {
		after = joinJava(t, w)
		w.eventually("both to have their share", patience, func() bool { return ours.owns() == 2 && after.handled() > 50 })
		ours.leave()
		n = stop()
		w.eventually("every offset to be committed", patience, func() bool { return w.committed() == n })
	})
	<-before.left
	<-after.left
	lost, twice := 0, 0
	for body := range n {
		switch times := w.handledAnywhere(body, before, after); {
		case times == 0:
			lost++
		case times > 1:
			twice += times - 1
		}
	}
	t.Logf("%d messages: %d by the first Java member, %d by ours, %d by the second; %d handled again", n, before.handled(), w.ledger.by(ours), after.handled(), twice)
	if lost != 0 {
		t.Errorf("%d of %d messages were handled by nobody", lost, n)
	}
}

// handledAnywhere is how often a message was handed to a handler of any kind of member.
func (w *world) handledAnywhere(body int, java ...*javaMember) int {
	key := strconv.Itoa(body)
	w.ledger.mu.Lock()
	times := w.ledger.bodies[key]
	w.ledger.mu.Unlock()
	for _, x := range java {
		x.mu.Lock()
		times += x.bodies[key]
		x.mu.Unlock()
	}
	return times
}
