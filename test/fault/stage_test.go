// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

const (
	// before and after a fault orders are paid for so long.
	before = 4 * time.Second
	after  = 4 * time.Second
	// usualLoad is in orders per second.
	usualLoad = 40
	// frozen is how long a dead pod's queues certainly stay uncommitted: less than the grace of 3 s after which others take them.
	frozen = 2 * time.Second
	// moment is how long the beginning of a fault may take, of which the calls are in the window.
	moment = 50 * time.Millisecond
)

// fault is one, as data.
type fault struct {
	name string
	// pods of the group, 2 unless said otherwise, and orders per second.
	pods, load int
	lasts      time.Duration
	tls        bool
	declare    func(*worker.Structure, *worker.Live)
	prepare    func(*stage)
	strike     func(*stage)
	heal       func(*stage)
	// provider says that the third party is at fault, worker that one of the pods is.
	provider, worker bool
	check            func(*stage, rig.Verdict)
}

// stage is where a fault happens.
type stage struct {
	*testing.T
	fault
	flow  *rig.Flow
	party *rig.Party
	pods  []*rig.Pod
	live  worker.Live
	what  worker.Structure
	// struck and healed are in milliseconds since 1970.
	struck, healed int64
	committed      []int64
}

// set makes the stage, and starts its pods.
func set(t *testing.T, lab *rig.Lab, f fault) *stage {
	t.Helper()
	s := &stage{T: t, fault: f, flow: rig.NewFlow(t, lab), party: rig.NewParty(t, lab, f.tls)}
	s.what, s.live = s.flow.Declared(s.party.URL)
	if f.declare != nil {
		f.declare(&s.what, &s.live)
	}
	if s.load == 0 {
		s.load = usualLoad
	}
	for i := range max(f.pods, 1) {
		s.pods = append(s.pods, s.pod(fmt.Sprint("pod-", i)))
	}
	if f.prepare != nil {
		f.prepare(s)
	}
	for _, p := range s.pods {
		p.Start()
	}
	return s
}

func (s *stage) pod(name string) *rig.Pod {
	p := rig.NewPod(s.T, s.flow.Lab, name, s.what, s.live)
	p.Roots = s.party.Roots
	return p
}

// begin notes the moment, and what is committed.
func (s *stage) begin() {
	if s.committed = s.flow.Committed(); s.committed == nil {
		s.Fatal("the broker does not tell what is committed, and the fault has not begun")
	}
	began := time.Now()
	s.strike(s)
	s.struck = began.Add(min(time.Since(began), moment)).UnixMilli()
}

// only leaves in the window the queues whose commits have stopped: those of the pod that is at fault.
func (s *stage) only() {
	rig.Wait(s.Context(), frozen/4) // commits that were under way have arrived
	stopped := s.flow.Committed()
	rig.Wait(s.Context(), frozen)
	for queue, now := range s.flow.Committed() {
		if now > stopped[queue] {
			s.committed[queue] = -1
		}
	}
}

// end heals.
func (s *stage) end() {
	if s.heal != nil {
		s.heal(s)
	}
	s.healed = time.Now().UnixMilli()
}

// judge waits for the last effect and notes what the fault came to.
func (s *stage) judge(r *record) {
	s.Helper()
	if !s.flow.Settle(s.party) {
		s.Errorf("the group was not done in time; its pods said:\n%s", s.lastWords())
	}
	v := s.flow.Judge(s.party)
	to := s.struck
	if s.provider {
		to = s.healed
	}
	window := rig.Window(s.committed, s.struck, to, s.flow.Paid(), s.party.Calls())
	s.Logf("%d paid, %d lost, %d duplicates in a window of %d, %d duplicate effects, dead letters %v", v.Paid, len(v.Lost), len(v.Duplicates), window, v.DuplicateEffects, v.DeadLetters)
	if len(v.Lost) > 0 || len(v.Duplicates) > window || v.DuplicateEffects > 0 || len(v.Unexplained) > 0 || v.Paid == 0 {
		s.Errorf("lost %v, unexplained dead letters %v", v.Lost, v.Unexplained)
	}
	r.fault(s.name, time.Duration(s.healed-s.struck)*time.Millisecond, v, window)
	if s.check != nil {
		s.check(s, v)
	}
}

func (s *stage) lastWords() string {
	var said strings.Builder
	for _, p := range s.pods {
		text := p.Log()
		fmt.Fprintf(&said, "%s:\n%s\n", p.Name, text[max(0, len(text)-2000):])
	}
	return said.String()
}

// play is a fault from beginning to end.
func play(t *testing.T, lab *rig.Lab, f fault, r *record) {
	t.Helper()
	s := set(t, lab, f)
	stop := s.flow.Pay("o-", s.load)
	rig.Wait(t.Context(), before)
	s.begin()
	if s.worker {
		s.only()
	}
	rig.Wait(t.Context(), s.lasts-time.Since(time.UnixMilli(s.struck)))
	s.end()
	rig.Wait(t.Context(), after)
	stop()
	s.judge(r)
}
