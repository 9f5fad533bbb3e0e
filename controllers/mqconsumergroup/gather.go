// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// brokerTimeout of all that is read from the brokers for one group, and once more of all that is written to them.
const brokerTimeout = 15 * time.Second

// inputs are all that a decision about a group is made from.
type inputs struct {
	group *v1alpha1.MQConsumerGroup

	workerImage       string
	operatorNamespace string
	privateNetworks   []string
	tracing           Tracing
	verdicts          *lru.Cache

	// cluster is nil if there is none of that name.
	cluster *v1alpha1.MQCluster
	// flow declares the topic; nil if none in the namespace does.
	flow *v1alpha1.OrderFlow
	// adapters by name; those that do not exist are missing.
	adapters map[string]*v1alpha1.ThirdPartyAdapter
	// siblings are the groups that refer to one of the adapters, this one included.
	siblings []v1alpha1.MQConsumerGroup
	// claims on the group's name on the same physical cluster, this one included.
	claims []claim.Claim

	// deployment is nil if there is none; running is what its pods run from, nil if that is not known.
	deployment *appsv1.Deployment
	running    *worker.Structure
	pods       []corev1.Pod
	// given is what pods were given last of what they take over while they run; nil if there is none.
	given *worker.Live
	// suspended is why the group is.
	suspended suspension

	// reached is done if the brokers were asked; else there is nothing in broker.
	reached result.Result
	broker  brokerFacts
	// delayed is what waits for its next attempt at the brokers; nil if nobody had to know.
	delayed *delayed
	// state is what there is to verify at the brokers; stands says that it was verified not long ago, and nothing speaks against it.
	state  string
	stands bool

	// young: the operator has just begun; unheard: it did not ask the pods yet; unread: nor did it count all that waits. See standing.
	young, unheard, unread bool
	// reconfigured: this look has given the pods another configuration.
	reconfigured bool

	signals lag.Signals
	// lost are the offsets that were there and are not any more.
	lost map[rocketmq.Queue]lag.Committed
	// heads are the first messages that wait in the group's queues.
	heads   []lag.Head
	reports []workersync.Report
	// stuck are the queues in which the group does not get on, with what could be read of the messages that hold them.
	stuck []v1alpha1.StuckQueue
	// jumps are those of positions so far, counted once of what is in the status and in the reports; nil while there is nothing to tell.
	jumps *v1alpha1.Jumps
}

// brokerFacts are what the brokers say.
type brokerFacts struct {
	admin   *topology.Admin
	masters []topology.Master
	// lost are masters the name servers have dropped, with whatever they hold of the group.
	lost []v1alpha1.BrokerStatus
	// topic is the topic's content by master; without an entry it is not there.
	topic map[string]rocketmq.TopicStats
	// refusals of the subscription by master.
	refusals map[string]error
	// members of the group at any master, each once; agreed is what those of each master want, by its name.
	members []string
	agreed  map[string]*rocketmq.Connections
}

// queues is the number of the topic's queues over all brokers.
func (b brokerFacts) queues() (n int32) {
	for _, stats := range b.topic {
		n += int32(len(stats.Queues))
	}
	return n
}

// gather reads:
//  1. from Kubernetes: the cluster, the topic's flow, the adapters, the other groups that use these or declare the same name, the Deployment with its structure and its templates,
//     the pods,
//  2. from the brokers, if the cluster is usable: the topic, whether the subscription is served, the members, and messages that hold up a queue; of a suspended group, what waits
//     for its next attempt,
//  3. from memory: the lag and what the pods reported.
//
// An error is one of the Kubernetes API.
func (r *Reconciler) gather(ctx context.Context, group *v1alpha1.MQConsumerGroup) (*inputs, error) {
	key := client.ObjectKeyFromObject(group)
	seen := &inputs{
		group: group, workerImage: r.Options.WorkerImage, operatorNamespace: r.Options.OperatorNamespace, privateNetworks: r.Options.PrivateNetworks,
		tracing: r.Options.Tracing, verdicts: r.Verdicts,
		signals: r.Sampler.Signals(key), lost: r.Sampler.Lost(key), heads: r.Sampler.Heads(key), reports: r.Syncer.Reports(key),
	}
	begins(seen, r.Syncer)
	seen.stuck = stuckQueues(seen, r.Now())
	if err := errors.Join(r.gatherReferences(ctx, seen), r.gatherSiblings(ctx, seen), r.gatherClaims(ctx, seen), r.gatherWorkload(ctx, seen)); err != nil {
		return nil, err
	}
	if seen.reached = topology.Usable(seen.cluster, group.Spec.ClusterRef.Name); seen.reached.IsDone() {
		ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
		defer cancel()
		if seen.reached = r.gatherBroker(ctx, seen); seen.reached.IsDone() {
			gatherStuck(ctx, seen)
		}
	}
	return seen, nil
}

// find reads an object of the group's namespace, nil if there is none.
func find[T client.Object](ctx context.Context, reader client.Reader, namespace, name string, into T) (T, error) {
	var none T
	switch err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into); {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("read %T %s: %w", into, name, err)
	}
	return into, nil
}

func (r *Reconciler) gatherReferences(ctx context.Context, seen *inputs) (err error) {
	spec, namespace := &seen.group.Spec, seen.group.Namespace
	if seen.cluster, err = find(ctx, r.Client, namespace, spec.ClusterRef.Name, &v1alpha1.MQCluster{}); err != nil {
		return err
	}
	var flows v1alpha1.OrderFlowList
	if err := r.Client.List(ctx, &flows, client.InNamespace(namespace), client.MatchingFields{index.Topic: spec.Topic}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the flows with topic %s: %w", spec.Topic, err)
	}
	for i := range flows.Items {
		if f := &flows.Items[i]; f.Spec.ClusterRef == spec.ClusterRef && (seen.flow == nil || rank(f, seen.flow) < 0) {
			seen.flow = f
		}
	}
	seen.adapters = map[string]*v1alpha1.ThirdPartyAdapter{}
	for _, name := range spec.Handler.Adapters() {
		adapter, err := find(ctx, r.Client, namespace, name, &v1alpha1.ThirdPartyAdapter{})
		if err != nil {
			return err
		}
		if adapter != nil {
			seen.adapters[name] = adapter
		}
	}
	seen.suspended = suspensionOf(seen.group, seen.adapters)
	return nil
}

// rank orders flows that declare one topic: who stays goes before who is being deleted, else the claim decides.
func rank(a, b *v1alpha1.OrderFlow) int {
	if stays := a.DeletionTimestamp.IsZero(); stays != b.DeletionTimestamp.IsZero() {
		if stays {
			return -1
		}
		return 1
	}
	return claim.Compare(claim.Claim{UID: a.UID, Created: a.CreationTimestamp.Time}, claim.Claim{UID: b.UID, Created: b.CreationTimestamp.Time})
}

// gatherSiblings finds who shares the adapters' limits.
func (r *Reconciler) gatherSiblings(ctx context.Context, seen *inputs) error {
	for _, name := range seen.group.Spec.Handler.Adapters() {
		var groups v1alpha1.MQConsumerGroupList
		if err := r.Client.List(ctx, &groups, client.InNamespace(seen.group.Namespace), client.MatchingFields{index.Adapter: name}, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list the groups that use adapter %s: %w", name, err)
		}
		known := map[types.UID]bool{}
		for i := range seen.siblings {
			known[seen.siblings[i].UID] = true
		}
		more := slices.DeleteFunc(groups.Items, func(g v1alpha1.MQConsumerGroup) bool { return known[g.UID] })
		seen.siblings = append(more, seen.siblings...)
	}
	return nil
}

// gatherClaims finds who else declares the group's name. MQClusters of other namespaces may be the same physical cluster.
func (r *Reconciler) gatherClaims(ctx context.Context, seen *inputs) error {
	var groups v1alpha1.MQConsumerGroupList
	if err := r.Client.List(ctx, &groups, client.MatchingFields{index.Group: seen.group.Spec.Group}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	others := slices.DeleteFunc(groups.Items, func(g v1alpha1.MQConsumerGroup) bool { return g.UID == seen.group.UID }) // the list may lag behind
	if len(others) == 0 {
		seen.claims = []claim.Claim{claimOf(seen.group, v1alpha1.MQClusterStatus{})}
		return nil
	}
	var clusters v1alpha1.MQClusterList
	if err := r.Client.List(ctx, &clusters, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list clusters: %w", err)
	}
	status := map[types.NamespacedName]v1alpha1.MQClusterStatus{}
	for _, c := range clusters.Items {
		status[client.ObjectKeyFromObject(&c)] = c.Status
	}
	of := func(g *v1alpha1.MQConsumerGroup) v1alpha1.MQClusterStatus {
		return status[types.NamespacedName{Namespace: g.Namespace, Name: g.Spec.ClusterRef.Name}]
	}
	seen.claims = []claim.Claim{claimOf(seen.group, of(seen.group))}
	for i := range others {
		if g := &others[i]; topology.SameCluster(of(g), of(seen.group)) {
			seen.claims = append(seen.claims, claimOf(g, of(g)))
		}
	}
	return nil
}

// claimOf is the group's claim. Creation times have a precision of a second; among those of one second, who has made the group is the older.
func claimOf(g *v1alpha1.MQConsumerGroup, cluster v1alpha1.MQClusterStatus) claim.Claim {
	created := g.CreationTimestamp.Time
	if g.Status.ClusterIdentity != "" && g.Status.ClusterIdentity == cluster.Identity {
		created = created.Add(-time.Second / 2)
	}
	return claim.Claim{Object: client.ObjectKeyFromObject(g), UID: g.UID, Created: created}
}

func (r *Reconciler) gatherWorkload(ctx context.Context, seen *inputs) (err error) {
	group := seen.group
	if seen.deployment, err = find(ctx, r.Client, group.Namespace, group.Name, &appsv1.Deployment{}); err != nil {
		return err
	}
	seen.pods, err = Pods(ctx, r.Client, client.ObjectKeyFromObject(group))
	if err != nil || seen.deployment == nil {
		return err
	}
	limits, err := find(ctx, r.Client, group.Namespace, liveName(group), &corev1.ConfigMap{})
	if err != nil {
		return err
	}
	if limits != nil {
		if given, err := worker.DecodeLive([]byte(limits.Data[path.Base(worker.LiveFile)])); err == nil { // else there is nothing to keep
			seen.given = &given
		}
	}
	config, err := find(ctx, r.Client, group.Namespace, structureOf(seen.deployment), &corev1.ConfigMap{})
	if err != nil || config == nil {
		return err
	}
	// Not worker.DecodeStructure: one of an older version has a subscription to compare, too.
	var running worker.Structure
	if json.Unmarshal([]byte(config.Data[path.Base(worker.StructureFile)]), &running) == nil {
		seen.running = &running
	}
	return nil
}

func (r *Reconciler) gatherBroker(ctx context.Context, seen *inputs) result.Result {
	admin, reached := r.Connector.Connect(ctx, seen.cluster)
	if !reached.IsDone() {
		return reached
	}
	cluster, reached := admin.Survey(ctx)
	if !reached.IsDone() {
		return reached
	}
	seen.broker = brokerFacts{
		admin: admin, masters: cluster.Masters, lost: topology.Lost(seen.cluster, cluster),
		topic: map[string]rocketmq.TopicStats{}, refusals: map[string]error{}, agreed: map[string]*rocketmq.Connections{},
	}
	results := make([]result.Result, 0, 3*len(cluster.Masters))
	var mu sync.Mutex // of seen.broker and results
	var asked sync.WaitGroup
	for _, m := range cluster.Masters {
		for _, read := range []func(context.Context, *sync.Mutex, *inputs, topology.Master) result.Result{gatherTopic, gatherRefusal, gatherMembers} {
			asked.Go(func() {
				r := read(ctx, &mu, seen, m)
				mu.Lock()
				defer mu.Unlock()
				results = append(results, r)
			})
		}
	}
	asked.Wait()
	if worst := result.Worst(results...); !worst.IsDone() {
		seen.broker = brokerFacts{}
		return worst
	}
	slices.Sort(seen.broker.members)
	gatherDelayed(ctx, seen)
	r.planVerification(seen)
	return result.Result{}
}

// planVerification decides whether the group itself is read back at this look: at once where anything about it, or about its brokers, is not as it was when all was
// well, else now and then.
func (r *Reconciler) planVerification(seen *inputs) {
	group, masters := seen.group, map[string]string{}
	for _, m := range seen.broker.masters {
		masters[m.Name] = m.Addr
	}
	seen.state = verification.State(group, seen.cluster.Status.Identity, masters)
	seen.stands = !demanded(group) && !seen.signals.Unseeded && group.Status.SeededTime != nil && condition.Is(group.Status.Conditions, v1alpha1.ConditionBrokerReady, metav1.ConditionTrue) &&
		!r.Verified.IsDue(client.ObjectKeyFromObject(group), seen.state, r.Now())
}

func gatherTopic(ctx context.Context, mu *sync.Mutex, seen *inputs, m topology.Master) result.Result {
	stats, err := seen.broker.admin.TopicStats(ctx, m.Addr, seen.group.Spec.Topic)
	switch {
	case err == nil:
		mu.Lock()
		defer mu.Unlock()
		seen.broker.topic[m.Name] = stats
	case !errors.Is(err, rocketmq.ErrNotFound):
		return topology.Explain(err, "reading topic %s from broker %s", seen.group.Spec.Topic, m.Name)
	}
	return result.Result{}
}

func gatherRefusal(ctx context.Context, mu *sync.Mutex, seen *inputs, m topology.Master) result.Result {
	subscription := subscriptionOf(seen.group)
	if subscription.Type != rocketmq.TypeSQL92 {
		return result.Result{}
	}
	err := seen.broker.admin.CheckSubscription(ctx, m.Addr, seen.group.Spec.Group, subscription)
	if errors.Is(err, rocketmq.ErrNoFilter) || errors.Is(err, rocketmq.ErrExpression) {
		mu.Lock()
		defer mu.Unlock()
		seen.broker.refusals[m.Name] = err
		return result.Result{}
	}
	return topology.Explain(err, "asking broker %s whether it serves the subscription to %s", m.Name, subscription.Topic)
}

func gatherMembers(ctx context.Context, mu *sync.Mutex, seen *inputs, m topology.Master) result.Result {
	online, err := seen.broker.admin.Connections(ctx, m.Addr, seen.group.Spec.Group)
	switch {
	case errors.Is(err, rocketmq.ErrNotOnline), errors.Is(err, rocketmq.ErrNotFound):
		return result.Result{}
	case err != nil:
		return topology.Explain(err, "reading the members of group %s from broker %s", seen.group.Spec.Group, m.Name)
	}
	mu.Lock()
	defer mu.Unlock()
	seen.broker.agreed[m.Name] = online
	for _, member := range online.Members {
		if !slices.Contains(seen.broker.members, member.ClientID) {
			seen.broker.members = append(seen.broker.members, member.ClientID)
		}
	}
	return result.Result{}
}

// Pods lists the pods of a group that have processes or may get some: those that are over, as evicted ones are, stay listed for hours.
func Pods(ctx context.Context, reader client.Reader, group types.NamespacedName) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(group.Namespace), client.MatchingFields{index.GroupLabel: group.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the pods: %w", err)
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	}), nil
}
