// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// facts are what was read for a flow.
type facts struct {
	// cluster the flow refers to; nil: there is none of the name.
	cluster *v1alpha1.MQCluster
	// owner is the oldest flow that declares the topic on this physical cluster; the zero value where the cluster cannot be used.
	owner claim.Claim
	// reached is done where the brokers could be asked.
	reached result.Result
	// brokers are all masters, with the topic as they have it; nil where they were not asked, since they were not long ago.
	brokers []brokerTopic
	admin   *topology.Admin
	// orderly are the Orderly groups of the topic, with the messages they have yet to handle, and counted is done where these are known. They are
	// read where queues are to be added and growthPolicy is Refuse.
	orderly []orderlyGroup
	counted result.Result
	// traffic of the topic; nil where spec.topic.expectTraffic is not set, or the topic is not the flow's.
	traffic *traffic
}

// brokerTopic is the topic as one master has it.
type brokerTopic struct {
	topology.Master
	// found is nil where the broker does not have it.
	found *rocketmq.TopicConfig
	// err says why it could not be read or written.
	err error
}

// VerifyEvery is how old the last look at the brokers may be, more or less; changes of the spec, and anything that is not Ready, are looked at at once.
const VerifyEvery = 5 * time.Minute

// gather reads:
//  1. the MQCluster, and whether it can be used,
//  2. all flows and MQClusters, for others that declare the topic on the same physical cluster,
//  3. from each master broker, all at once: the topic,
//  4. if queues are to be added and growthPolicy is Refuse: the messages that Orderly groups have yet to handle,
//  5. with spec.topic.expectTraffic, and if the last message known may be too long ago: when the last one was stored.
func (r *Reconciler) gather(ctx context.Context, flow *v1alpha1.OrderFlow) (facts, error) {
	var seen facts
	cluster, err := r.cluster(ctx, flow)
	if err != nil {
		return facts{}, err
	}
	seen.cluster = cluster
	if seen.reached = topology.Usable(cluster, flow.Spec.ClusterRef.Name); !seen.reached.IsDone() {
		return seen, nil
	}
	if seen.owner, err = r.owner(ctx, flow, cluster); err != nil {
		return facts{}, err
	}
	if topic := flow.Status.Topic; flow.Spec.Topic.ExpectTraffic != nil && topic != nil && topic.ClusterIdentity == cluster.Status.Identity {
		seen.traffic = new(r.listen(ctx, flow, cluster))
	}
	if r.verified(flow, cluster) {
		return seen, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var survey topology.Cluster
	if seen.admin, seen.reached = r.Connector.Connect(ctx, cluster); seen.reached.IsDone() {
		survey, seen.reached = seen.admin.Survey(ctx)
	}
	if !seen.reached.IsDone() {
		return seen, nil
	}
	seen.brokers = readTopic(ctx, seen.admin, survey.Masters, flow.Spec.Topic.Name)
	if flow.Spec.Topic.GrowthPolicy == v1alpha1.GrowthRefuse && len(growing(flow, seen.brokers)) > 0 {
		consumers, err := r.consumersOf(ctx, flow.Spec.Topic.Name, cluster)
		if err != nil {
			return facts{}, err
		}
		seen.orderly, seen.counted = countOrderly(ctx, seen.admin, cluster, survey, flow.Spec.Topic.Name, consumers)
	}
	return seen, nil
}

func (r *Reconciler) cluster(ctx context.Context, flow *v1alpha1.OrderFlow) (*v1alpha1.MQCluster, error) {
	cluster := &v1alpha1.MQCluster{}
	name := types.NamespacedName{Namespace: flow.Namespace, Name: flow.Spec.ClusterRef.Name}
	switch err := r.Client.Get(ctx, name, cluster); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read MQCluster %s: %w", name.Name, err)
	}
	return cluster, nil
}

// owner returns the oldest of the flows, over all namespaces, that declare the topic on the physical cluster.
func (r *Reconciler) owner(ctx context.Context, flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster) (claim.Claim, error) {
	flows := &v1alpha1.OrderFlowList{}
	if err := r.Client.List(ctx, flows, client.MatchingFields{index.Topic: flow.Spec.Topic.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return claim.Claim{}, fmt.Errorf("look for other flows with topic %s: %w", flow.Spec.Topic.Name, err)
	}
	claims := []claim.Claim{claimOf(flow)}
	others := slices.DeleteFunc(flows.Items, func(f v1alpha1.OrderFlow) bool { return f.UID == flow.UID }) // the list may lag behind
	if len(others) == 0 {
		return claim.Winner(claims), nil
	}
	same, err := r.sameCluster(ctx, cluster)
	if err != nil {
		return claim.Claim{}, fmt.Errorf("look for the cluster of other flows with topic %s: %w", flow.Spec.Topic.Name, err)
	}
	for i := range others {
		other := &others[i]
		if same[types.NamespacedName{Namespace: other.Namespace, Name: other.Spec.ClusterRef.Name}] {
			claims = append(claims, claimOf(other))
		}
	}
	return claim.Winner(claims), nil
}

// consumersOf are the MQConsumerGroups of the topic, over all namespaces, by the name of their group on the broker.
func (r *Reconciler) consumersOf(ctx context.Context, topic string, cluster *v1alpha1.MQCluster) (map[string]*v1alpha1.MQConsumerGroup, error) {
	same, err := r.sameCluster(ctx, cluster)
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := errors.Join(err, r.Client.List(ctx, groups, client.MatchingFields{index.Topic: topic}, client.UnsafeDisableDeepCopy)); err != nil {
		return nil, fmt.Errorf("look for the consumers of topic %s: %w", topic, err)
	}
	consumers := map[string]*v1alpha1.MQConsumerGroup{}
	for i := range groups.Items {
		group := &groups.Items[i]
		if same[types.NamespacedName{Namespace: group.Namespace, Name: group.Spec.ClusterRef.Name}] {
			consumers[group.Spec.Group] = group
		}
	}
	return consumers, nil
}

// sameCluster has the MQClusters that are the same physical cluster, this one included.
func (r *Reconciler) sameCluster(ctx context.Context, cluster *v1alpha1.MQCluster) (map[types.NamespacedName]bool, error) {
	clusters := &v1alpha1.MQClusterList{}
	if err := r.Client.List(ctx, clusters, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	same := map[types.NamespacedName]bool{client.ObjectKeyFromObject(cluster): true}
	for i := range clusters.Items {
		if topology.SameCluster(cluster.Status, clusters.Items[i].Status) {
			same[client.ObjectKeyFromObject(&clusters.Items[i])] = true
		}
	}
	return same, nil
}

func claimOf(flow *v1alpha1.OrderFlow) claim.Claim {
	return claim.Claim{Object: client.ObjectKeyFromObject(flow), UID: flow.UID, Created: flow.CreationTimestamp.Time}
}

// stateOf is what there is to verify of a flow.
func stateOf(flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster) string {
	masters := map[string]string{}
	for _, b := range cluster.Status.Brokers {
		masters[b.Name] = b.Address
	}
	return verification.State(flow, cluster.Status.Identity, masters)
}

// verified reports whether the brokers were asked lately about just what is declared now, and all was well, and nobody demands that they are asked again.
func (r *Reconciler) verified(flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster) bool {
	topic := flow.Status.Topic
	return topic != nil && topic.ClusterIdentity == cluster.Status.Identity &&
		int(topic.Brokers) == len(cluster.Status.Brokers) &&
		flow.Status.ObservedGeneration == flow.Generation && !demand.Pending(flow, flow.Status.LastHandledReconcileAt) &&
		condition.Is(flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue) &&
		!r.Verified.IsDue(client.ObjectKeyFromObject(flow), stateOf(flow, cluster), r.Now())
}

// noteVerified remembers that the topic was read back, and forgets it where something is amiss. The status says when with whatever else has changed: the time alone
// is not worth a write.
func (r *Reconciler) noteVerified(flow, before *v1alpha1.OrderFlow, seen facts, done progress) {
	key := client.ObjectKeyFromObject(flow)
	switch {
	case !done.topic.IsDone():
		r.Verified.Forget(key)
	case done.plan.write:
		r.Verified.Note(key, stateOf(flow, seen.cluster), r.Now())
		if topic := flow.Status.Topic; topic.LastVerifiedTime == nil || !equality.Semantic.DeepEqual(flow.Status, before.Status) {
			topic.LastVerifiedTime = new(metav1.NewTime(r.Now()))
		}
	}
}

// readTopic asks all masters for the topic.
func readTopic(ctx context.Context, admin *topology.Admin, masters []topology.Master, topic string) []brokerTopic {
	brokers := make([]brokerTopic, len(masters))
	var asked sync.WaitGroup
	for i, master := range masters {
		asked.Go(func() { brokers[i] = readOne(ctx, admin, master, topic) })
	}
	asked.Wait()
	return brokers
}

func readOne(ctx context.Context, admin *topology.Admin, master topology.Master, topic string) brokerTopic {
	b := brokerTopic{Master: master}
	switch config, err := admin.TopicConfig(ctx, master.Addr, topic); {
	case errors.Is(err, rocketmq.ErrNotFound):
	case err != nil:
		b.err = fmt.Errorf("read it back: %w", err)
	default:
		b.found = &config
	}
	return b
}
