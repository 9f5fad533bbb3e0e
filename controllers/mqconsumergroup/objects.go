// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// objects are what the pulse looks at every second: those of the cache as they were last told of, found by their names. A list of thousands each second, most of which are as they
// were, would be most of what an idle operator does. Its methods that are told of changes lock it; who reads it holds the lock.
type objects struct {
	mu          sync.Mutex
	groups      map[types.NamespacedName]*watched
	clusters    map[types.NamespacedName]*v1alpha1.MQCluster
	deployments map[types.NamespacedName]*appsv1.Deployment
	replays     map[types.NamespacedName]*v1alpha1.DeadLetterReplay
}

// watched is a group, with how the sampler was told of it last.
type watched struct {
	group *v1alpha1.MQConsumerGroup
	// target was made of the reports, and is stale once anything else it was made of has changed. One without a cluster is none.
	target  lag.Target
	reports []workersync.Report
	stale   bool
}

// current reports whether the target is of now. While a pod is parked that depends on the time.
func (w *watched) current(reports []workersync.Report) bool {
	same := len(reports) == len(w.reports) && (len(reports) == 0 || &reports[0] == &w.reports[0]) // no pass over the group was made
	return same && !w.stale && !w.target.Pods.Parked
}

func newObjects() *objects {
	return &objects{
		groups: map[types.NamespacedName]*watched{}, clusters: map[types.NamespacedName]*v1alpha1.MQCluster{},
		deployments: map[types.NamespacedName]*appsv1.Deployment{}, replays: map[types.NamespacedName]*v1alpha1.DeadLetterReplay{},
	}
}

// follow has it told of all changes from now on, and of all there is.
func (o *objects) follow(ctx context.Context, from cache.Informers) error {
	for _, kind := range []client.Object{&v1alpha1.MQConsumerGroup{}, &v1alpha1.MQCluster{}, &appsv1.Deployment{}, &v1alpha1.DeadLetterReplay{}} {
		informer, err := from.GetInformer(ctx, kind)
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: o.put, UpdateFunc: func(_, object any) { o.put(object) }, DeleteFunc: o.drop})
		}
		if err != nil {
			return fmt.Errorf("follow %T: %w", kind, err)
		}
	}
	return nil
}

func (o *objects) put(object any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch is := object.(type) {
	case *v1alpha1.MQConsumerGroup:
		key := client.ObjectKeyFromObject(is)
		if o.groups[key] == nil {
			o.groups[key] = &watched{}
		}
		o.groups[key].group = is
		o.changed(key)
	case *v1alpha1.MQCluster:
		o.clusters[client.ObjectKeyFromObject(is)] = is
		o.changedAll()
	case *appsv1.Deployment:
		key := client.ObjectKeyFromObject(is)
		if is.Labels[labelGroup] != "" {
			o.deployments[key] = is
		} else {
			delete(o.deployments, key)
		}
		o.changed(key)
	case *v1alpha1.DeadLetterReplay:
		o.replays[client.ObjectKeyFromObject(is)] = is
		o.changedAll()
	}
}

func (o *objects) changed(group types.NamespacedName) {
	if w := o.groups[group]; w != nil {
		w.stale = true
	}
}

// changedAll is for what changes seldom, and for many.
func (o *objects) changedAll() {
	for _, w := range o.groups {
		w.stale = true
	}
}

func (o *objects) drop(object any) {
	if gone, is := object.(toolscache.DeletedFinalStateUnknown); is {
		object = gone.Obj
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch is := object.(type) {
	case *v1alpha1.MQConsumerGroup:
		delete(o.groups, client.ObjectKeyFromObject(is))
	case *v1alpha1.MQCluster:
		delete(o.clusters, client.ObjectKeyFromObject(is))
		o.changedAll()
	case *appsv1.Deployment:
		delete(o.deployments, client.ObjectKeyFromObject(is))
		o.changed(client.ObjectKeyFromObject(is))
	case *v1alpha1.DeadLetterReplay:
		delete(o.replays, client.ObjectKeyFromObject(is))
		o.changedAll()
	}
}

// clusterOf is nil if there is none of that name.
func (o *objects) clusterOf(g *v1alpha1.MQConsumerGroup) *v1alpha1.MQCluster {
	return o.clusters[types.NamespacedName{Namespace: g.Namespace, Name: g.Spec.ClusterRef.Name}]
}

// replaysByGroup are the replays of each group.
func (o *objects) replaysByGroup() map[types.NamespacedName][]*v1alpha1.DeadLetterReplay {
	groups := map[types.NamespacedName][]*v1alpha1.DeadLetterReplay{}
	for _, r := range o.replays {
		group := types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.GroupRef.Name}
		groups[group] = append(groups[group], r)
	}
	return groups
}
