// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
	// lagPeriod lies between two writes of a lag that merely moves.
	lagPeriod = 10 * time.Second
)

// Pulse looks at all groups every second: it drives the sampler, and wakes the reconciler for each group whose number of pods, circuits or
// lag is not what its status says.
type Pulse struct {
	// Client reads groups, clusters and Deployments from the cache.
	Client client.Reader
	// Sampler is driven by the pulse.
	Sampler *lag.Sampler
	// Syncer knows the pods.
	Syncer *workersync.Syncer
	// Logger for what goes wrong.
	Logger *slog.Logger
	// Now is the clock.
	Now func() time.Time

	wake  chan event.TypedGenericEvent[*v1alpha1.MQConsumerGroup]
	woken map[types.NamespacedName]time.Time
}

// NewPulse returns a Pulse made of p's dependencies.
func NewPulse(p Pulse) *Pulse {
	p.wake = make(chan event.TypedGenericEvent[*v1alpha1.MQConsumerGroup])
	p.woken = map[types.NamespacedName]time.Time{}
	return &p
}

// NeedLeaderElection is true: only the leader reconciles, so only it has to know.
func (p *Pulse) NeedLeaderElection() bool { return true }

// Start beats until ctx ends.
func (p *Pulse) Start(ctx context.Context) error {
	ticker := time.NewTicker(pulsePeriod)
	defer ticker.Stop()
	for {
		groups, err := p.Beat(ctx)
		if err != nil && ctx.Err() == nil {
			p.Logger.WarnContext(ctx, "cannot look at the groups", "error", err)
		}
		for _, group := range groups {
			select {
			case p.wake <- event.TypedGenericEvent[*v1alpha1.MQConsumerGroup]{Object: group}:
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Beat looks at all groups once and returns those to be reconciled.
func (p *Pulse) Beat(ctx context.Context) ([]*v1alpha1.MQConsumerGroup, error) {
	groups, clusters, deployments, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	var targets []lag.Target
	for i := range groups {
		g := &groups[i]
		cluster := clusters[types.NamespacedName{Namespace: g.Namespace, Name: g.Spec.ClusterRef.Name}]
		if cluster == nil || g.Status.ClusterIdentity == "" || broadcasts(g) { // whose positions no broker has
			continue
		}
		key := client.ObjectKeyFromObject(g)
		var ready int32
		if d := deployments[key]; d != nil {
			ready = d.Status.ReadyReplicas
		}
		targets = append(targets, lag.Target{
			Name: key, Cluster: cluster, Group: g.Spec.Group, Topic: g.Spec.Topic, Pods: podsOf(g, ready, p.Syncer.Reports(key)),
		})
	}
	p.Sampler.Look(ctx, targets)

	now, before := p.Now(), p.woken
	p.woken = make(map[types.NamespacedName]time.Time, len(groups))
	var woken []*v1alpha1.MQConsumerGroup
	for i := range groups {
		key := client.ObjectKeyFromObject(&groups[i])
		seen := &inputs{group: &groups[i], suspended: suspensionTold(&groups[i]), deployment: deployments[key], signals: p.Sampler.Signals(key), reports: p.Syncer.Reports(key)}
		p.woken[key] = before[key]
		if worthTelling(seen, now, before[key]) {
			p.woken[key] = now
			woken = append(woken, &groups[i])
		}
	}
	return woken, nil
}

func (p *Pulse) read(ctx context.Context) ([]v1alpha1.MQConsumerGroup, map[types.NamespacedName]*v1alpha1.MQCluster, map[types.NamespacedName]*appsv1.Deployment, error) {
	var groups v1alpha1.MQConsumerGroupList
	var clusterList v1alpha1.MQClusterList
	var deploymentList appsv1.DeploymentList
	if err := p.Client.List(ctx, &groups); err != nil {
		return nil, nil, nil, fmt.Errorf("list groups: %w", err)
	}
	if err := p.Client.List(ctx, &clusterList); err != nil {
		return nil, nil, nil, fmt.Errorf("list clusters: %w", err)
	}
	if err := p.Client.List(ctx, &deploymentList, client.HasLabels{labelGroup}); err != nil {
		return nil, nil, nil, fmt.Errorf("list deployments: %w", err)
	}
	clusters := map[types.NamespacedName]*v1alpha1.MQCluster{}
	for i := range clusterList.Items {
		clusters[client.ObjectKeyFromObject(&clusterList.Items[i])] = &clusterList.Items[i]
	}
	deployments := map[types.NamespacedName]*appsv1.Deployment{}
	for i := range deploymentList.Items {
		deployments[client.ObjectKeyFromObject(&deploymentList.Items[i])] = &deploymentList.Items[i]
	}
	return groups.Items, clusters, deployments, nil
}

// worthTelling reports whether a group's status lacks something: at once what a user or the number of pods waits for, the rest now and then.
func worthTelling(seen *inputs, now, last time.Time) bool {
	status := &seen.group.Status
	stalled := condition.Is(status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue) && !onlyLoss(status.Conditions)
	if seen.group.Spec.Scaling != nil && seen.deployment != nil && !stalled {
		if wanted, _ := replicas(seen, now); wanted != wantedReplicas(seen.deployment) {
			return true
		}
	}
	if reportsMoved(seen) {
		return true
	}
	switch age := now.Sub(last); {
	case age >= lookAgain && status.SeededTime != nil && seen.signals.Unseeded:
		return true
	case age >= lookAgain && (drainMoved(seen, now) || configMoved(seen) || parkingMoved(seen, now) || upstreamMoved(seen, now)):
		return true
	}
	return now.Sub(last) >= lagPeriod && lagMoved(seen, now)
}

// reportsMoved reports whether pods report what the status has otherwise, but for who probes: in an outage that may change
// every few seconds, for all groups at once, and is told at the interval.
func reportsMoved(seen *inputs) bool {
	status := &seen.group.Status
	return !slices.Equal(skipped(seen), status.SkippedMessageIDs) || !v1alpha1.SameCircuits(adapterUses(seen), status.Adapters) || jumpsMoved(seen)
}

// onlyLoss reports whether what was lost is all that stalls a group: the rest of its work goes on.
func onlyLoss(conditions []metav1.Condition) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	return c != nil && c.Reason == v1alpha1.ReasonMessagesLost
}

func configMoved(seen *inputs) bool {
	c := configCurrent(seen)
	return !condition.Is(seen.group.Status.Conditions, c.Type, c.Status)
}

func lagMoved(seen *inputs, now time.Time) bool {
	var is v1alpha1.MQConsumerGroupStatus
	setLag(&is, seen, now)
	was := &seen.group.Status
	return !equality.Semantic.DeepEqual([]*int64{is.Lag, is.RetryLag, is.DeadLetters}, []*int64{was.Lag, was.RetryLag, was.DeadLetters})
}
