// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/rig"
)

var (
	soakMessages = flag.Int("soak.messages", 0, "how many orders TestSoak pays; 0 skips it")
	soakSeed     = flag.Uint64("soak.seed", 0, "seed of its faults; 0 draws one")
)

const (
	// soakPeriod is the time between the beginnings of two faults, of which each lasts shorter.
	soakPeriod  = 20 * time.Second
	soakLongest = 10 * time.Second
	// soakBehind is how many orders the group may be behind when more are paid.
	soakBehind = 20_000
	soakPods   = 3
	// soakWhole is how many orders a soak has that is kept.
	soakWhole = 1_000_000
)

// TestSoak pays very many orders while one fault follows the other, in an order and for times that the seed decides.
func TestSoak(t *testing.T) {
	if *soakMessages == 0 {
		t.Skip("by hand: make soak")
	}
	seed := cmp.Or(*soakSeed, rand.Uint64())
	t.Logf("seed %d", seed)
	s := set(t, rig.NewLab(t, rig.Build(t), "-XX:TieredStopAtLevel=4"), fault{name: "soak", pods: soakPods, prepare: func(s *stage) {
		s.party.Steer(`{"latency":"5ms"}`)
	}, declare: func(s *worker.Structure, _ *worker.Live) { s.Concurrency = 32 }})
	s.load = *soakMessages
	record := evidence.New("soak", "make soak", evidence.Commit(t.Context()), evidence.Machine())
	s.soak(rand.New(rand.NewPCG(seed, 0)), record)
	record.Note("seed", seed)
	s.judgeSoak(record)
	out := "../../out"
	if *soakMessages < soakWhole {
		out = t.TempDir() // no evidence
	}
	file, err := record.Write(out)
	if err != nil {
		t.Errorf("write the figures: %v", err)
	}
	if met, err := evidence.Table(os.Stdout, []evidence.File{file}); err != nil || !met {
		t.Errorf("a goal is not met: %v", err)
	}
}

// soak lets faults strike until all orders are paid.
func (s *stage) soak(chance *rand.Rand, r *evidence.Recorder) {
	faults, paid, all := soakFaults(), make(chan int), make(chan struct{})
	go func() {
		defer close(all)
		s.flow.PayMany("", s.load, soakBehind, func(n int) {
			select {
			case paid <- n:
			default: // nobody asks
			}
		})
	}()
	defer func() { <-all }()
	began := time.Now()
	var n, before int
	for !s.Failed() {
		select {
		case <-all:
			r.Sample("soak_paid", float64(s.load-before))
			r.Sample("soak_s", time.Since(began).Seconds())
			return
		case n = <-paid:
		}
		f, lasts := faults[chance.IntN(len(faults))], time.Second+time.Duration(chance.Int64N(int64(soakLongest-time.Second)))
		at := chance.IntN(len(s.pods))
		s.pods[0], s.pods[at] = s.pods[at], s.pods[0]
		s.Logf("%v: %d paid; %s for %v, first is %s", time.Since(began).Round(time.Second), n, f.name, lasts.Round(time.Millisecond), s.pods[0].Name)
		r.Sample("soak_paid", float64(n-before))
		r.Sample("soak_"+f.name+"_s", lasts.Seconds())
		r.Sample("soak_faults_s", lasts.Seconds())
		struck := time.Now()
		before = n
		f.strike(s)
		rig.Wait(s.Context(), lasts)
		f.heal(s)
		rig.Wait(s.Context(), soakPeriod-time.Since(struck))
	}
}

// soakFaults are those that heal, and need nothing prepared.
func soakFaults() []fault {
	list := []fault{
		{name: "worker_sigkill", strike: func(s *stage) { s.pods[0].Kill() }, heal: func(s *stage) { s.pods[0].Launch() }},
		{name: "worker_sigterm", strike: func(s *stage) { s.pods[0].Stop() }, heal: func(s *stage) { s.pods[0].Launch() }},
		{name: "worker_sigstop", strike: func(s *stage) { s.pods[0].Signal(syscall.SIGSTOP) }, heal: func(s *stage) { s.pods[0].Signal(syscall.SIGCONT) }},
		{name: "workers_sigkill", strike: func(s *stage) {
			for _, p := range s.pods {
				p.Signal(syscall.SIGKILL)
			}
		}, heal: func(s *stage) {
			for _, p := range s.pods {
				p.Kill() // until it has ended
				p.Launch()
			}
		}},
	}
	for _, f := range slices.Concat(brokerFaults(), providerFaults()) {
		if f.prepare == nil && !f.tls {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b fault) int { return cmp.Compare(a.name, b.name) })
	return list
}

// judgeSoak notes what came of all orders.
func (s *stage) judgeSoak(r *evidence.Recorder) {
	if !s.flow.Drain() {
		s.Errorf("the group was not done in time; its pods said:\n%s", s.lastWords())
	}
	v := s.flow.Judge(s.party)
	r.Sample("soak_lost", make([]float64, len(v.Lost))...)
	r.Sample("soak_duplicates", floats(v.Duplicates)...)
	r.Sample("soak_duplicate_effects", make([]float64, v.DuplicateEffects)...)
	r.Sample("soak_unexplained", make([]float64, len(v.Unexplained))...)
	for _, f := range []evidence.Figure{
		{Name: "soak_messages", Formula: `total("soak_paid")`, Goal: fmt.Sprintf("x >= %d.0", s.load)},
		{Name: "soak_faults", Formula: `count("soak_faults_s")`},
		{Name: "soak_minutes", Formula: `total("soak_s") / 60.0`},
		{Name: "soak_lost", Formula: `count("soak_lost")`, Goal: "x == 0.0"},
		{Name: "soak_duplicates", Formula: `count("soak_duplicates")`},
		{Name: "soak_duplicate_effects", Formula: `count("soak_duplicate_effects")`, Goal: "x == 0.0"},
		{Name: "soak_unexplained", Formula: `count("soak_unexplained")`, Goal: "x == 0.0"},
	} {
		r.Figure(f)
	}
	r.Note("deadLetters", v.DeadLetters)
	s.Logf("%d paid, lost %v, %d duplicates, %d duplicate effects, dead letters %v", v.Paid, v.Lost, len(v.Duplicates), v.DuplicateEffects, v.DeadLetters)
	if v.Paid != s.load {
		s.Errorf("%d orders are accounted for, want %d", v.Paid, s.load)
	}
}
