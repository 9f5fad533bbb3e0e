// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"log/slog"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// topicQueues of the topic Orders on each broker.
const topicQueues = 2

// longBeat is as long as may lie between two looks for all of it to count.
const longBeat = 10 * time.Second

// world is a namespace with a Ready cluster of two brokers that have the topic Orders, a Ready adapter, and a reconciler.
type world struct {
	*suite.Suite
	t       *testing.T
	mq      *fake.Cluster // nil where RocketMQ is real
	client  *rocketmq.Client
	brokers []master
	r       *Reconciler
	pulse   *Pulse
	cluster *v1alpha1.MQCluster
	group   *v1alpha1.MQConsumerGroup
	// later is added to the reconciler's clock.
	later time.Duration
}

type master struct{ name, addr string }

// newWorld makes a world, and in it the group push, changed.
func newWorld(t *testing.T, change func(*v1alpha1.MQConsumerGroup)) *world {
	t.Helper()
	mq := fake.Start(t, fake.Config{Brokers: 2})
	w := newWorldOn(t, mq.NameServer(), change)
	w.mq = mq
	return w
}

// newWorldOn makes one on a RocketMQ that runs.
func newWorldOn(t *testing.T, nameServer string, change func(*v1alpha1.MQConsumerGroup)) *world {
	t.Helper()
	w := &world{Suite: suite.New(t), t: t}
	w.client = rocketmq.NewClient(rocketmq.Config{})
	t.Cleanup(w.client.Close)
	names, err := rocketmq.NewCluster(w.client, []string{nameServer}, nil)
	w.must(err)
	masters, err := names.Masters(t.Context(), "")
	w.must(err)
	for _, b := range masters {
		w.brokers = append(w.brokers, master{b.Name, b.Master()})
	}
	logger := slog.New(slog.DiscardHandler)
	sampler := lag.NewSampler(w.Connector, logger)
	syncer := workersync.New(workersync.Config{
		Pods:   func(context.Context, types.NamespacedName) ([]corev1.Pod, error) { return nil, nil },
		Logger: logger,
	})
	now := func() time.Time { return w.Now().Add(w.later) }
	sampler.Now = func() time.Time { return time.Now().Add(w.later) }
	w.r = &Reconciler{
		Verdicts: lru.New(MaxVerdicts),
		Client:   w.Client, Secrets: w.Client, Applier: w.Applier, Connector: w.Connector,
		Sampler: sampler, Syncer: syncer, Recorder: w.Recorder, Now: now,
		Options: Options{WorkerImage: "worker:1", OperatorNamespace: "orderflow-system"},
	}
	w.pulse = NewPulse(Pulse{Sampler: sampler, Syncer: syncer, Now: now})

	w.cluster = w.Cluster(nameServer)
	w.cluster.Status = v1alpha1.MQClusterStatus{
		ObservedGeneration: 1, ClusterName: "DefaultCluster", Identity: "physical-" + w.Namespace, Conditions: w.conditionReady(),
	}
	for _, b := range w.brokers {
		config, err := w.client.BrokerConfig(t.Context(), b.addr)
		w.must(err)
		retention, told := config.Retention()
		if !told || config[rocketmq.DeleteWhen] == "" {
			t.Fatalf("broker %s does not say for how long it keeps messages: %q at %q", b.name, config[rocketmq.ReservedHours], config[rocketmq.DeleteWhen])
		}
		w.cluster.Status.Brokers = append(w.cluster.Status.Brokers, v1alpha1.BrokerStatus{
			Name: b.name, Address: b.addr, DelayLevels: config[rocketmq.DelayLevels], Retention: &metav1.Duration{Duration: retention}, DeleteWhen: config[rocketmq.DeleteWhen], Disk: v1alpha1.DiskNormal,
		})
	}
	adapter := w.Adapter("sms")
	adapter.Status = v1alpha1.ThirdPartyAdapterStatus{ObservedGeneration: 1, Conditions: w.conditionReady()}
	w.group = w.Group("push", "Orders")
	w.group.Spec.Replicas = new(int32(2))
	if change != nil {
		change(w.group)
	}
	w.topic(topicQueues)
	w.Create(t, w.cluster, adapter, w.group)
	return w
}

func (w *world) conditionReady() []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.NewTime(w.Now())}}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// reconcile calls Reconcile once and reads the group anew.
func (w *world) reconcile() (ctrl.Result, error) {
	w.t.Helper()
	answer, err := w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.group)})
	if getErr := w.Get(w.t.Context(), client.ObjectKeyFromObject(w.group), w.group); client.IgnoreNotFound(getErr) != nil {
		w.t.Fatal(getErr)
	}
	return answer, err
}

// settle reconciles until the first pods are wanted: the claim, then all the rest.
func (w *world) settle() {
	w.t.Helper()
	for range 2 {
		_, err := w.reconcile()
		w.must(err)
	}
}

// want fails the test unless the condition is so.
func (w *world) want(conditionType string, status metav1.ConditionStatus, reason string, texts ...string) {
	w.t.Helper()
	suite.WantCondition(w.t, w.group.Status.Conditions, conditionType, status, reason, texts...)
}

// topic makes or grows the topic Orders on both brokers.
func (w *world) topic(queues int) {
	for _, b := range w.brokers {
		w.must(w.client.PutTopic(w.t.Context(), b.addr, rocketmq.TopicConfig{
			Name: "Orders", ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite,
		}))
	}
}

// eventually polls what a broker does in its own time.
func (w *world) eventually(what string, done func() bool) {
	w.t.Helper()
	if !installation.Within(w.t, time.Minute, what, done) {
		w.t.FailNow()
	}
}

// send stores so many messages in one queue of Orders on the first broker.
func (w *world) send(queue, count int) {
	b := w.brokers[0]
	for range count {
		_, err := w.client.Send(w.t.Context(), b.addr, rocketmq.SendRequest{
			Group: "test", Queue: rocketmq.Queue{Topic: "Orders", Broker: b.name, ID: queue}, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}},
		})
		w.must(err)
	}
}

// offset is what the group has committed in one queue of Orders on the first broker; -1 if it has nothing.
func (w *world) offset(queue int) int64 {
	w.t.Helper()
	b := w.brokers[0]
	offset, err := w.client.QueryOffset(w.t.Context(), b.addr, w.group.Spec.Group, rocketmq.Queue{Topic: "Orders", Broker: b.name, ID: queue})
	if err != nil {
		return -1
	}
	return offset
}

func (w *world) commit(queue int, offset int64) {
	b := w.brokers[0]
	w.must(w.client.CommitOffset(w.t.Context(), b.addr, w.group.Spec.Group, rocketmq.Queue{Topic: "Orders", Broker: b.name, ID: queue}, offset))
}

// commitAll makes the group have an offset in every queue of Orders.
func (w *world) commitAll(offset int64) {
	for _, b := range w.brokers {
		for id := range topicQueues {
			w.must(w.client.CommitOffset(w.t.Context(), b.addr, w.group.Spec.Group, rocketmq.Queue{Topic: "Orders", Broker: b.name, ID: id}, offset))
		}
	}
}

// join makes a member of the group come online, at every broker as clients do.
func (w *world) join(clientID string) {
	for _, b := range w.brokers {
		w.must(w.client.Heartbeat(w.t.Context(), b.addr, rocketmq.Heartbeat{
			ClientID: clientID, Consumers: []rocketmq.Membership{{Group: w.group.Spec.Group, Subscriptions: []rocketmq.Subscription{{Topic: "Orders"}}}},
		}))
	}
}

func (w *world) leave(clientID string) {
	for _, b := range w.brokers {
		w.must(w.client.Unregister(w.t.Context(), b.addr, clientID, w.group.Spec.Group))
	}
}

func (w *world) ownMember() string { return worker.ClientID(w.Namespace, "push-5d9c-x2x4b") }

// deployment reads the group's Deployment, nil if there is none.
func (w *world) deployment() *appsv1.Deployment {
	w.t.Helper()
	d, err := find(w.t.Context(), w.Client, w.Namespace, "push", &appsv1.Deployment{})
	w.must(err)
	return d
}

// roll plays the Deployment controller: all pods that are wanted are ready.
func (w *world) roll() {
	w.t.Helper()
	d := w.deployment()
	n := wantedReplicas(d)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
	w.must(w.Status().Update(w.t.Context(), d))
}

// beats lets so much time pass, with a beat every ten seconds.
func (w *world) beats(time time.Duration) {
	w.t.Helper()
	for end := w.later + time; w.later < end; w.later += longBeat {
		w.beat()
	}
	w.beat()
}

// show has the pulse see what is there, as informers would.
func (w *world) show() {
	w.t.Helper()
	w.pulse.objects = newObjects()
	for _, list := range []client.ObjectList{&v1alpha1.MQConsumerGroupList{}, &v1alpha1.MQClusterList{}, &appsv1.DeploymentList{}, &v1alpha1.DeadLetterReplayList{}} {
		w.must(w.List(w.t.Context(), list, client.InNamespace(w.Namespace)))
		w.must(meta.EachListItem(list, func(object runtime.Object) error {
			w.pulse.objects.put(object)
			return nil
		}))
	}
}

// beat lets the pulse look once, and says whether the group was woken.
func (w *world) beat() bool {
	w.t.Helper()
	w.show()
	woken, _ := w.pulse.Beat(w.t.Context())
	for _, g := range woken {
		if g.UID == w.group.UID {
			return true
		}
	}
	return false
}
