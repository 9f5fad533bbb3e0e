// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// blocking is an observer that breaks its promise to return at once.
type blocking struct {
	Unobserved
	free chan struct{}
}

func (b *blocking) QueueGained(rocketmq.Queue) { <-b.free }

func TestAMembershipThatHangsIsStuck(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		o := &blocking{free: make(chan struct{})}
		x := w.join("one", done, func(cfg *Config) { cfg.Observer = o })
		elapse(membershipPatience)
		w.must(x.Stuck())
		elapse(5 * time.Second)
		if err := x.Stuck(); err == nil || !strings.Contains(err.Error(), "the membership is stuck since 2000-01-01T00:00:0") {
			t.Errorf("stuck: %v; want the membership, since its first second", err)
		}
		close(o.free)
		w.awaitOwner(x)
		w.must(x.Stuck())
	})
}

func TestALoopOfCommitsThatHangsIsStuck(t *testing.T) {
	c := &Consumer{members: &membership{}}
	hung := time.Now().Add(-commitPatience - time.Second)
	c.commits.last.Store(&hung)
	if err := c.Stuck(); err == nil || !strings.Contains(err.Error(), "the loop of commits is stuck since") {
		t.Errorf("stuck: %v; want the loop of commits", err)
	}
}

func TestOutagesAreNoReasonToBeStuck(t *testing.T) {
	for name, outage := range map[string]func(w *world){
		"brokers and name servers hang": func(w *world) { w.fake.Inject(fake.Fault{Hang: true}) },
		"the broker is away":            func(w *world) { w.fake.Broker().Stop() },
		"the provider is down":          func(w *world) { w.fill(100) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 2, 4, func(t *testing.T, w *world) {
				never := make(chan struct{})
				x := w.join("one", always(outcome.ParkUntil(never, "Down", "")))
				w.awaitOwner(x)
				outage(w)
				for range 300 {
					elapse(time.Second)
					w.must(x.Stuck())
				}
				w.fake.Heal()
				x.leave()
				w.must(x.Stuck())
			})
		})
	}
}
