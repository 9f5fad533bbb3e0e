// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestTheSamplerIsToldOfAGroupAsItIsNow(t *testing.T) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	group := func(change func(*v1alpha1.MQConsumerGroup)) *v1alpha1.MQConsumerGroup {
		g := &v1alpha1.MQConsumerGroup{ObjectMeta: named("push"), Status: v1alpha1.MQConsumerGroupStatus{ClusterIdentity: "physical"}}
		g.Spec.ClusterRef.Name, g.Spec.Topic, g.Spec.Concurrency.PerPod = "mq", "Orders", 20
		change(g)
		return g
	}
	deployment := func(ready int32) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "push", Labels: map[string]string{labelGroup: "push"}}, Status: appsv1.DeploymentStatus{ReadyReplicas: ready},
		}
	}
	cluster := func(identity string) *v1alpha1.MQCluster {
		return &v1alpha1.MQCluster{ObjectMeta: named("mq"), Status: v1alpha1.MQClusterStatus{Identity: identity}}
	}
	// seen is what the sampler is told of the one group: nothing, or its topic, its cluster's identity, and what pods hold.
	type seen struct {
		Topic, Identity string
		Hold            int64
		Consuming       bool
		Leaving         bool
	}
	for sentence, c := range map[string]struct {
		change func(*objects)
		want   []seen
	}{
		"it is being deleted": {func(o *objects) {
			o.put(group(func(g *v1alpha1.MQConsumerGroup) { g.DeletionTimestamp = new(metav1.Now()) }))
		}, []seen{{"Orders", "physical", 40, true, true}}},
		"nothing changed":        {func(*objects) {}, []seen{{"Orders", "physical", 40, true, false}}},
		"more pods are ready":    {func(o *objects) { o.put(deployment(3)) }, []seen{{"Orders", "physical", 60, true, false}}},
		"its Deployment is gone": {func(o *objects) { o.drop(deployment(2)) }, []seen{{"Orders", "physical", 0, false, false}}},
		"its Deployment has lost the group's label": {func(o *objects) {
			other := deployment(9)
			other.Labels = nil
			o.put(other)
		}, []seen{{"Orders", "physical", 0, false, false}}},
		"its cluster is another": {func(o *objects) { o.put(cluster("moved")) }, []seen{{"Orders", "moved", 40, true, false}}},
		"its cluster is gone":    {func(o *objects) { o.drop(cluster("physical")) }, nil},
		"it is suspended": {func(o *objects) {
			o.put(group(func(g *v1alpha1.MQConsumerGroup) {
				g.Status.Suspension = &v1alpha1.SuspensionStatus{}
				g.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionParked, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSuspended}}
			}))
		}, []seen{{"Orders", "physical", 40, false, false}}},
		"it is gone, as one hears who was away": {func(o *objects) {
			o.drop(toolscache.DeletedFinalStateUnknown{Key: "shop/push", Obj: group(func(*v1alpha1.MQConsumerGroup) {})})
		}, nil},
		"it was made anew with another topic": {func(o *objects) {
			g := group(func(g *v1alpha1.MQConsumerGroup) { g.Spec.Topic = "Others" })
			o.drop(g)
			o.put(g)
		}, []seen{{"Others", "physical", 40, true, false}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			p := NewPulse(Pulse{Syncer: workersync.New(workersync.Config{}), Now: time.Now})
			p.objects.put(cluster("physical"))
			p.objects.put(group(func(*v1alpha1.MQConsumerGroup) {}))
			p.objects.put(deployment(2))
			p.targets()
			c.change(p.objects)
			var got []seen
			for _, target := range p.targets() {
				got = append(got, seen{target.Topic, target.Cluster.Status.Identity, target.Pods.Hold, target.Consuming, target.Leaving})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the sampler is told otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATargetIsMadeAnewWhereItMayBeAnother(t *testing.T) {
	pass, another := []workersync.Report{{Pod: "a"}}, []workersync.Report{{Pod: "a"}}
	for sentence, c := range map[string]struct {
		watched watched
		reports []workersync.Report
		want    bool
	}{
		"nothing was heard since":          {watched{reports: pass}, pass, true},
		"there were no pods, and are none": {watched{}, nil, true},
		"its pods were asked since":        {watched{reports: pass}, another, false},
		"its pods are gone":                {watched{reports: pass}, nil, false},
		"an object of its was changed":     {watched{reports: pass, stale: true}, pass, false},
		"a pod of it is parked, which may be for more than a moment by now": {watched{reports: pass, target: lag.Target{Pods: lag.Pods{Parked: true}}}, pass, false},
	} {
		if got := c.watched.current(c.reports); got != c.want {
			t.Errorf("%s: the target is current: %t, want %t", sentence, got, c.want)
		}
	}
}
