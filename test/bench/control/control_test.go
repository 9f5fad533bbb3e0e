// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/broker"
)

const (
	// patience bounds what is waited for.
	patience = 20 * time.Minute
	// brokerDelay is what every call of the fake broker takes at least.
	brokerDelay = 5 * time.Millisecond
	// settled is when nothing follows any more from what was done: a lag is written, by the group and then by its flow, pods are asked again, and of thousands of groups the last has had its
	// turn to have lag and dead letters counted and told for the first time.
	settled = 150 * time.Second
)

// TestControl measures everything that make bench-control writes down.
func TestControl(t *testing.T) {
	r := newRecord(t.Context())
	t.Cleanup(func() { r.write(t) }) // once everything has been measured
	t.Run("real", func(t *testing.T) { real200(t, r) })
	t.Run("calls", func(t *testing.T) { calls(t, r) })
	t.Run("ready", func(t *testing.T) { ready(t, r) })
	t.Run("large", func(t *testing.T) { scale(t, r) })
}

// stage is an API server on which the operator has made all objects of a plan Ready.
type stage struct {
	*server
	plan     plan
	board    *board
	pods     *pods
	hooks    *hooks
	mq       *fake.Cluster
	operator *running
	took     time.Duration
}

// newStage takes n groups to Ready by the fake broker.
func newStage(t *testing.T, n int) *stage {
	t.Helper()
	mq := fake.Start(t, fake.Config{CountOnly: true})
	mq.Inject(fake.Fault{Delay: brokerDelay})
	s := newStageAt(t, n, mq.NameServer())
	s.mq = mq
	return s
}

func newStageAt(t *testing.T, n int, nameServer string) *stage {
	t.Helper()
	s := &stage{server: startServer(t), plan: planOf(n, nameServer), hooks: &hooks{}}
	s.board, s.pods = startCluster(t, s.server, hooks{changed: func(d *appsv1.Deployment) {
		if f := s.hooks.changed; f != nil {
			f(d)
		}
	}})
	s.operator = s.startOperator(t)
	s.board.operator = s.operator
	s.awaitLeader(t)
	before, began := s.writes(t), time.Now()
	s.create(t, s.plan, func(client.Object) {})
	s.board.await(t, s.plan.ours(), patience)
	s.took = time.Since(began)
	writes := since(before, s.writes(t))
	t.Logf("%d groups: %v, %v of CPU, %.0f MiB, %d writes %v", n, s.took, s.operator.cpu(t), s.operator.resident(t), sum(writes), writes)
	return s
}

// awaitLeader waits until the operator may act.
func (s *stage) awaitLeader(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lease := &coordinationv1.Lease{}
	for lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		if err := s.admin.Get(ctx, client.ObjectKey{Namespace: "default", Name: "manager.orderflow.dev"}, lease); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// pause lets d pass: what is measured is what happens meanwhile.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func real200(t *testing.T, r *record) {
	s := newStageAt(t, max(*large/25, 5), broker.Own(t, rocketmq.Options{}).NameServer())
	r.Sample("ready_200_real_s", s.took.Seconds())
	r.figure("ready_200_real_s", "", `median("ready_200_real_s")`)
}

func calls(t *testing.T, r *record) {
	s := newStage(t, max(*large/50, 5))
	pause(t.Context(), settled)
	s.idle(t, r, "100")
	r.figure("broker_calls_per_s_100", "", `total("broker_calls_100") / total("idle_s_100")`)
}

// ready compares in turns.
func ready(t *testing.T, r *record) {
	for range readyRounds {
		var m model
		n := max(*large/5, 5)
		t.Run("operator", func(t *testing.T) {
			s := newStage(t, n)
			r.Sample("ready_1000_s", s.took.Seconds())
			m = modelOf(t, s.server)
		})
		r.Sample("ready_1000_raw_s", readyRaw(t, n, m, nothing).Seconds())
	}
	r.figure("ready_1000_s", "", `median("ready_1000_s")`)
	r.figure("ready_1000_vs_raw", "x <= 1.5", `median("ready_1000_s") / median("ready_1000_raw_s")`)
}

// readyRounds of a thousand groups and of five thousand: the machine's speed moves by a quarter between them.
const readyRounds = 2

// nothing follows on the raw client's objects.
func nothing(*testing.T, *stage) {}

func scale(t *testing.T, r *record) {
	var m model
	t.Run("operator", func(t *testing.T) {
		s := newStage(t, *large)
		r.Sample("ready_5000_s", s.took.Seconds())
		m = modelOf(t, s.server)
		pause(t.Context(), settled)
		s.idle(t, r, "5000")
		r.figure("idle_writes_per_object_min", "x == 0.0", `total("idle_writes_5000") / total("idle_object_minutes_5000")`)
		r.figure("idle_mcpu_per_1000", "x <= 20.0", `total("idle_cpu_ms_5000") / total("idle_object_seconds_5000") * 1000.0`)
		r.figure("rss_5000_mib", "x <= 300.0", `largest("rss_mib_5000")`)
		r.figure("broker_calls_per_s_5000", "", `total("broker_calls_5000") / total("idle_s_5000")`)
		r.figure("broker_calls_5000_vs_allowed", "x <= 1.0",
			`(total("broker_calls_5000") / total("idle_s_5000")) / (2.0 * total("broker_calls_100") / total("idle_s_100") + 5.0 + 5000.0 / 30.0)`)
		s.updates(t, r)
		s.restart(t, r)
	})
	r.Sample("ready_5000_raw_s", readyRaw(t, *large, m, func(t *testing.T, s *stage) { s.updatesRaw(t, r) }).Seconds())
	for range readyRounds - 1 {
		t.Run("operator again", func(t *testing.T) { r.Sample("ready_5000_s", newStage(t, *large).took.Seconds()) })
		r.Sample("ready_5000_raw_s", readyRaw(t, *large, m, nothing).Seconds())
	}
	r.figure("ready_5000_s", "", `median("ready_5000_s")`)
	r.figure("ready_5000_vs_raw", "x <= 1.5", `median("ready_5000_s") / median("ready_5000_raw_s")`)
}

// idle measures what the operator does while nothing happens.
func (s *stage) idle(t *testing.T, r *record, size string) {
	t.Helper()
	writes, cpu, asked, began := s.writes(t), s.operator.cpu(t), s.mq.Count(), time.Now()
	_, syncs := s.pods.count()
	resident := []float64{s.operator.resident(t)}
	for time.Since(began) < *idle {
		pause(t.Context(), time.Second)
		resident = append(resident, s.operator.resident(t))
	}
	took := time.Since(began)
	used, added, objects := s.operator.cpu(t)-cpu, since(writes, s.writes(t)), float64(s.plan.ours())
	pods, synced := s.pods.count()
	r.Sample("idle_writes_"+size, float64(sum(added)))
	r.Sample("idle_object_minutes_"+size, objects*took.Minutes())
	r.Sample("idle_cpu_ms_"+size, float64(used.Milliseconds()))
	r.Sample("idle_object_seconds_"+size, objects*took.Seconds())
	r.Sample("broker_calls_"+size, float64(s.mq.Count()-asked))
	r.Sample("idle_s_"+size, took.Seconds())
	r.Sample("rss_mib_"+size, resident...)
	t.Logf("idle %v: %d objects, %d pods, CPU %v, %d broker calls, %d calls of pods, writes %v, %.0f MiB",
		took, s.plan.ours(), pods, used, s.mq.Count()-asked, synced-syncs, added, s.operator.resident(t))
}
