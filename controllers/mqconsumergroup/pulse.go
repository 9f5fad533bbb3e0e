// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

const (
	// pulsePeriod lies between two looks at all groups.
	pulsePeriod = time.Second
	// tellPeriod lies between two wakes for what nobody waits for.
	tellPeriod = 10 * time.Second
	// quietLook lies between two looks at a group that is not busy.
	quietLook = 10 * time.Second
	// firstLook is for how long a group that is new waits for its turn: after that it is woken like others, whom those that are busy cannot hold up.
	firstLook = time.Minute
	// lagsAtPulse groups are woken with each pulse for a lag that merely moves, those first that wait longest: where more than two hundred are busy at once, the API
	// server is spared, and lags are as old as the interval between looks at a group at most.
	lagsAtPulse = 20
)

// Pulse looks at all groups every second, and closer at those that are busy: it drives the sampler, and wakes the reconciler for each group whose number of pods, circuits or
// lag is not what its status says, and that of MQClusters for those whose brokers have fallen silent, or answer again.
type Pulse struct {
	// Sampler is driven by the pulse.
	Sampler *lag.Sampler
	// Syncer knows the pods.
	Syncer *workersync.Syncer
	// Turned takes the MQClusters whose brokers have fallen silent, or answer again.
	Turned chan<- event.TypedGenericEvent[*v1alpha1.MQCluster]
	// Now is the clock.
	Now func() time.Time

	objects   *objects
	wake      chan event.TypedGenericEvent[*v1alpha1.MQConsumerGroup]
	attention map[types.NamespacedName]attention
	looked    []lag.Target // by the last beat; its space is used again
}

// NewPulse returns a Pulse made of p's dependencies.
func NewPulse(p Pulse) *Pulse {
	p.objects, p.attention = newObjects(), map[types.NamespacedName]attention{}
	p.wake = make(chan event.TypedGenericEvent[*v1alpha1.MQConsumerGroup])
	return &p
}

// NeedLeaderElection is true: only the leader reconciles, so only it has to know.
func (p *Pulse) NeedLeaderElection() bool { return true }

// Start beats until ctx ends.
func (p *Pulse) Start(ctx context.Context) error {
	ticker := time.NewTicker(pulsePeriod)
	defer ticker.Stop()
	for {
		groups, clusters := p.Beat(ctx)
		if !wakeAll(ctx, p.Turned, clusters) || !wakeAll(ctx, p.wake, groups) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// wakeAll reports whether ctx has not ended before.
func wakeAll[T client.Object](ctx context.Context, wake chan<- event.TypedGenericEvent[T], objects []T) bool {
	for _, o := range objects {
		select {
		case wake <- event.TypedGenericEvent[T]{Object: o}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Beat looks at all groups once and returns those to be reconciled, and the MQClusters.
func (p *Pulse) Beat(ctx context.Context) ([]*v1alpha1.MQConsumerGroup, []*v1alpha1.MQCluster) {
	busy, turned := p.Sampler.Look(ctx, p.targets())
	for name, is := range busy {
		if is {
			p.Syncer.Soon(name)
		}
	}
	return p.choose(busy), turned
}

// targets are the groups whose lag can be looked at.
func (p *Pulse) targets() []lag.Target {
	o := p.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	targets, replays := p.looked[:0], sync.OnceValue(o.replaysByGroup)
	for key, w := range o.groups {
		reports := p.Syncer.Reports(key)
		if !w.current(reports) {
			w.target, w.reports, w.stale = p.target(key, w.group, reports, replays()[key]), reports, false
		}
		if w.target.Cluster != nil {
			targets = append(targets, w.target)
		}
	}
	p.looked = targets
	return targets
}

// target is the group as the sampler has to know it, without a cluster where its lag cannot be looked at.
func (p *Pulse) target(key types.NamespacedName, g *v1alpha1.MQConsumerGroup, reports []workersync.Report, replays []*v1alpha1.DeadLetterReplay) lag.Target {
	cluster := p.objects.clusterOf(g)
	if cluster == nil || g.Status.ClusterIdentity == "" || broadcasts(g) { // whose positions no broker has
		return lag.Target{}
	}
	var ready int32
	if d := p.objects.deployments[key]; d != nil {
		ready = d.Status.ReadyReplicas
	}
	return lag.Target{
		Name: key, Cluster: cluster, Group: g.Spec.Group, Topic: g.Spec.Topic, Leaving: !g.DeletionTimestamp.IsZero(), Pods: podsOf(g, ready, reports),
		Consuming: ready > 0 && !suspensionTold(g).holds() && seeParking(&inputs{reports: reports}, p.Now()).parked == 0, Replayed: replayed(g, replays),
	}
}

// choose returns the groups whose status is worth writing: all that have something to tell, and a few whose lag merely moves. Those that are not busy, and had nothing to
// tell, are looked at less often: without messages little changes.
func (p *Pulse) choose(busy map[types.NamespacedName]bool) (woken []*v1alpha1.MQConsumerGroup) {
	p.objects.mu.Lock()
	defer p.objects.mu.Unlock()
	now := p.Now()
	maps.DeleteFunc(p.attention, func(key types.NamespacedName, _ attention) bool { return p.objects.groups[key] == nil })
	var (
		lags []*v1alpha1.MQConsumerGroup
		seen inputs // one for all: it is large
	)
	for key, w := range p.objects.groups {
		g := w.group
		if len(g.Status.Conditions) == 0 && now.Sub(g.CreationTimestamp.Time) < firstLook {
			continue
		}
		a, known := p.attention[key]
		if !known {
			a.woken = now // what a group that is new has to tell comes within seconds, and is written together
		}
		if busy[key] || !now.Before(a.due) {
			a.due = now.Add(quietLook)
			p.see(&seen, key, g, now)
			switch {
			case worthTelling(&seen, now, a.woken):
				a = attention{woken: now}
				woken = append(woken, g)
			case lagMoved(&seen, now):
				a.due = time.Time{}
				if now.Sub(a.woken) >= tellPeriod {
					lags = append(lags, g)
				}
			}
			p.attention[key] = a
		}
	}
	slices.SortStableFunc(lags, func(a, b *v1alpha1.MQConsumerGroup) int {
		return p.attention[client.ObjectKeyFromObject(a)].woken.Compare(p.attention[client.ObjectKeyFromObject(b)].woken)
	})
	for _, g := range lags[:min(len(lags), lagsAtPulse)] {
		p.attention[client.ObjectKeyFromObject(g)] = attention{woken: now}
		woken = append(woken, g)
	}
	return woken
}

// attention is what the pulse gives a group: when it was last woken, and when it is looked at next; the zero time is at once.
type attention struct{ woken, due time.Time }

// see fills in what is known of a group without a look at the brokers.
func (p *Pulse) see(seen *inputs, key types.NamespacedName, g *v1alpha1.MQConsumerGroup, now time.Time) {
	*seen = inputs{
		group: g, cluster: p.objects.clusterOf(g), suspended: suspensionTold(g), deployment: p.objects.deployments[key], signals: p.Sampler.Signals(key), heads: p.Sampler.Heads(key), reports: p.Syncer.Reports(key),
	}
	begins(seen, p.Syncer)
	seen.stuck = stuckQueues(seen, now)
}

// worthTelling reports whether a group's status lacks something, its lag aside: at once what a user or the number of pods waits for, the rest now and then.
func worthTelling(seen *inputs, now, last time.Time) bool {
	conditions := seen.group.Status.Conditions
	stalled := condition.Is(conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue) && !onlyLoss(conditions)
	if seen.group.Spec.Scaling != nil && seen.deployment != nil && !stalled {
		if wanted, _ := replicas(seen, now); wanted != wantedReplicas(seen.deployment) {
			return true
		}
	}
	unseeded := seen.group.Status.SeededTime != nil && seen.signals.Unseeded // messages there wait for an offset
	return reportsMoved(seen) || unseeded && now.Sub(last) >= lookAgain || now.Sub(last) >= tellPeriod && anythingMoved(seen, now)
}

// anythingMoved reports whether anything but the lag is not as the status says.
func anythingMoved(seen *inputs, now time.Time) bool {
	return scalingMoved(seen, now) || drainMoved(seen, now) || !v1alpha1.SameCircuits(adapterUses(seen), seen.group.Status.Adapters) || configMoved(seen) || parkingMoved(seen, now) || upstreamMoved(seen, now) || stuckMoved(seen) || retentionMoved(seen, now)
}

// scalingMoved reports whether something else decides on the number of pods, which is the same.
func scalingMoved(seen *inputs, now time.Time) bool {
	if seen.group.Spec.Scaling == nil || seen.deployment == nil || seen.group.Status.Scaling == nil {
		return false
	}
	_, d := replicas(seen, now)
	return d != nil && d.Bound != seen.group.Status.Scaling.Bound && !scalingStands(seen, &v1alpha1.ScalingStatus{DesiredReplicas: d.Replicas, Bound: d.Bound})
}

// reportsMoved reports whether pods report what the status has otherwise, but for circuits that are known to be closed for the first time, and who probes: in an outage that may change
// every few seconds, for all groups at once, and is told at the interval.
func reportsMoved(seen *inputs) bool {
	status := &seen.group.Status
	return !slices.Equal(skipped(seen), status.SkippedMessageIDs) || v1alpha1.CircuitsTurned(adapterUses(seen), status.Adapters) || jumpsMoved(seen)
}

// onlyLoss reports whether what was lost is all that stalls a group: the rest of its work goes on.
func onlyLoss(conditions []metav1.Condition) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	return c != nil && c.Reason == v1alpha1.ReasonMessagesLost
}

func configMoved(seen *inputs) bool {
	if seen.unheard || len(seen.reports) == 0 && running(seen) == 0 { // the pulse reads no pods: those there are have told nothing
		return false
	}
	c := configCurrent(seen)
	return !condition.Is(seen.group.Status.Conditions, c.Type, c.Status)
}

func lagMoved(seen *inputs, now time.Time) bool {
	was := &seen.group.Status
	is := v1alpha1.MQConsumerGroupStatus{Lag: was.Lag, RetryLag: was.RetryLag, DeadLetters: was.DeadLetters, OldestMessageTime: was.OldestMessageTime}
	setLag(&is, seen, now)
	for _, c := range []metav1.Condition{queueStuck(seen, now), retentionAtRisk(seen, now)} { // which are known since the lag is
		if !condition.Is(was.Conditions, c.Type, c.Status) {
			return true
		}
	}
	return !equality.Semantic.DeepEqual([]*int64{is.Lag, is.RetryLag, is.DeadLetters}, []*int64{was.Lag, was.RetryLag, was.DeadLetters}) ||
		!is.OldestMessageTime.Equal(was.OldestMessageTime)
}
