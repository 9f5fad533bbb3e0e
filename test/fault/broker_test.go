// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	mq "github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/test/rig"
)

func brokerFaults() []fault {
	on := func(do func(*rig.Lab) error) func(*stage) {
		return func(s *stage) {
			if err := do(s.flow.Lab); err != nil {
				s.Fatal(err)
			}
		}
	}
	start := func(s *stage) {
		if err := s.flow.StartBroker(s.Context(), mq.DefaultBroker); err != nil {
			s.Fatal(err)
		}
	}
	return []fault{
		{name: "broker_sigkill", lasts: 5 * time.Second, strike: on(func(l *rig.Lab) error { return l.KillBroker(mq.DefaultBroker) }), heal: start},
		{name: "broker_sigstop", lasts: 30 * time.Second, strike: on(func(l *rig.Lab) error { return l.Pause(mq.DefaultBroker) }),
			heal: on(func(l *rig.Lab) error { return l.Resume(mq.DefaultBroker) })},
		{name: "broker_restart", strike: func(s *stage) {
			if err := s.flow.StopBroker(s.Context(), mq.DefaultBroker); err != nil {
				s.Fatal(err)
			}
		}, heal: start},
		{name: "name_server_gone", lasts: 15 * time.Second, strike: on(func(l *rig.Lab) error { return l.KillNameServer() }), heal: func(s *stage) {
			if err := s.flow.StartNameServer(s.Context()); err != nil {
				s.Fatal(err)
			}
		}},
	}
}

// playAll is a fault of the broker, watched by a group of each mode. What they lose and repeat adds up.
func playAll(t *testing.T, lab *rig.Lab, f fault, r *record) {
	t.Helper()
	f.pods = 2
	var stages []*stage
	for _, mode := range []worker.Mode{worker.ModePush, worker.ModePull} {
		g := f
		if mode == worker.ModePull {
			g.name += "_pull"
		}
		g.declare = func(s *worker.Structure, _ *worker.Live) { s.Mode = mode }
		stages = append(stages, set(t, lab, g))
	}
	var stops []func()
	for _, s := range stages {
		stops = append(stops, s.flow.Pay("o-", s.load))
	}
	rig.Wait(t.Context(), before)
	for _, s := range stages[1:] {
		if s.committed = s.flow.Committed(); s.committed == nil {
			t.Fatal("the broker does not tell what is committed, and the fault has not begun")
		}
	}
	stages[0].begin()
	rig.Wait(t.Context(), f.lasts)
	stages[0].end()
	rig.Wait(t.Context(), after)
	for i, s := range stages {
		s.struck, s.healed = stages[0].struck, stages[0].healed
		stops[i]()
		s.judge(r)
		for _, p := range s.pods {
			p.Stop()
		}
	}
}
