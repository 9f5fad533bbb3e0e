// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
	"github.com/orderflow-dev/orderflow/test/witness"
)

// Calls of the throughput comparisons: the first warm up.
const (
	chainWarm     = 40_000
	chainMeasured = 60_000
)

const path = "/sms/send"

// ahead is how many messages of a queue the peers hold: requests are slower than pulls by so much that more would cost memory only.
const ahead = 1000

// paid is the order of a number, as a shop sends it.
func paid(i int) []byte {
	return fmt.Appendf(nil, `{"id":"o-%09d","eventType":"OrderPaid","amount":1999,"phone":"+8613800000000","paidAt":"2026-11-26T08:00:00Z",`+
		`"items":[{"sku":"a-17","quantity":1},{"sku":"b-4","quantity":2}],"address":{"city":"Berlin","zip":"10115"}}`, i)
}

// stage is where workers, as they are deployed, act on a topic of paid orders.
type stage struct {
	*lab
	rig   *rig.Lab
	topic string
}

func newStage(t *testing.T, l *lab, orders int) stage {
	t.Helper()
	s := stage{l, &rig.Lab{Cluster: l.Cluster, Worker: rig.Build(t), Address: l.address}, l.newTopic(t)}
	l.fill(t, s.topic, orders, paid)
	return s
}

// pod starts a worker on the engines' core, which acts on the topic's orders from the first under a group of its own.
func (s stage) pod(t *testing.T, topic, url string, declare func(*worker.Structure, *worker.AdapterLimits)) *rig.Pod {
	t.Helper()
	flow := rig.Flow{Lab: s.rig, Topic: topic, Group: s.newGroup(t, topic)}
	structure, live := flow.Declared(url)
	structure.Concurrency = concurrency
	if declare != nil {
		declare(&structure, &live.Adapters[0])
	}
	p := rig.NewPod(t, s.rig, "pod-0", structure, live)
	p.Cores.Set(engineCore)
	p.Launch()
	return p
}

// chain compares whole chains: from the broker to an instant third party.
func (s stage) chain(t *testing.T, r *record) {
	call := func(t *testing.T, begin func(url string) (pid int, end func())) map[string][]float64 {
		samples := s.calling(t, patience, begin)
		if samples == nil {
			t.Fatalf("a third party was not called as often as it was to be, within %s", patience)
		}
		return samples
	}
	ours := func(t *testing.T) map[string][]float64 {
		return call(t, func(url string) (int, func()) {
			p := s.pod(t, s.topic, url, nil)
			return p.PID(), p.Kill
		})
	}
	bare := func(t *testing.T) map[string][]float64 {
		return call(t, func(url string) (int, func()) {
			e := libraryBest(concurrent)
			e.Concurrency, e.Ahead = concurrency, ahead
			e.NameServer, e.Topic, e.Group, e.URL = s.NameServer(), s.topic, s.newGroup(t, s.topic), url+path
			p := start(t, e.command(t), engineCore)
			return p.Process.Pid, p.kill
		})
	}
	java := func(heapMiB int) func(url string) (int, func()) {
		return func(url string) (int, func()) {
			o := javaBest()
			o.Ahead = ahead
			o.Client = witness.Client{NameServer: s.NameServer(), Topic: s.topic, Group: s.newGroup(t, s.topic)}
			o.URL, o.Warm, o.Measure = url+path, chainWarm, chainMeasured
			p := start(t, witness.Engine(t.Context(), t, o, fmt.Sprintf("-Xmx%dm", heapMiB)), engineCore)
			return p.Process.Pid, p.kill
		}
	}
	heap := s.smallestHeap(t, r, java)
	r.compare(t, []contender{
		{"chain_own", ours},
		{"chain_bare_go", bare},
		{"chain_java", func(t *testing.T) map[string][]float64 { return call(t, java(heap)) }},
	})
	const median = "median(%q)"
	r.ratio("throughput_vs_bare_go", "x >= 1.0", median, "chain_own_per_s", "chain_bare_go_per_s")
	r.ratio("cpu_vs_bare_go", "x <= 1.0", median, "chain_own_cpu_us", "chain_bare_go_cpu_us")
	r.ratio("throughput_vs_java", "x >= 1.0", median, "chain_own_per_s", "chain_java_per_s")
	r.ratio("rss_vs_java", "x <= 0.33", median, "chain_own_rss_mib", "chain_java_rss_mib")
	for _, name := range []string{"chain_own", "chain_bare_go", "chain_java"} {
		for _, what := range []string{"_per_s", "_cpu_us", "_rss_mib"} {
			r.each(name+what, median, name+what)
		}
	}
}

// smallestHeap is the smallest with which Java keeps 95 % of its throughput.
func (s stage) smallestHeap(t *testing.T, r *record, java func(heapMiB int) func(url string) (int, func())) (best int) {
	t.Helper()
	const ample, keeps = 512, 0.95
	var tried []string
	throughput := func(heap int, within time.Duration) (got float64) {
		if samples := s.calling(t, within, java(heap)); samples != nil { // else it gets nowhere, or has run out of memory
			got = samples["per_s"][0]
		}
		r.Sample(fmt.Sprintf("chain_java_heap_%d_per_s", heap), got)
		tried = append(tried, fmt.Sprintf("%d MiB: %.0f/s", heap, got))
		return got
	}
	began := time.Now()
	most := throughput(ample, patience)
	took := time.Since(began)
	best = ample
	for _, heap := range []int{96, 64, 48, 32, 24} {
		if throughput(heap, 2*took) < keeps*most {
			break
		}
		best = heap
	}
	r.Note("chain_java_heap", fmt.Sprintf("-Xmx%dm, the smallest that keeps 95 %% of the throughput of -Xmx%dm; %s", best, ample, strings.Join(tried, ", ")))
	return best
}
