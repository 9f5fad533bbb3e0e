// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { suite.Main(m) }

// world is a namespace with a Ready MQCluster "mq" of two brokers.
type world struct {
	*suite.Suite
	mq       *fake.Cluster
	cluster  *v1alpha1.MQCluster
	verified *verification.Book
	// later is how far the clock of the reconciler is ahead.
	later time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Suite: suite.New(t), mq: fake.Start(t, fake.Config{Brokers: 2}), verified: verification.New(VerifyEvery)}
	w.cluster = w.Cluster(w.mq.NameServer())
	w.ready(w.cluster)
	w.Create(t, w.cluster)
	return w
}

// ready gives the cluster the status it has when its brokers answer.
func (w *world) ready(cluster *v1alpha1.MQCluster) {
	cluster.Status.Identity, cluster.Status.ClusterName, cluster.Status.ObservedGeneration = "physical", "DefaultCluster", 1
	for _, b := range w.mq.Brokers() {
		cluster.Status.Brokers = append(cluster.Status.Brokers, v1alpha1.BrokerStatus{Name: b.Name(), Address: b.Addr()})
	}
	condition.Set(&cluster.Status.Conditions, 1, w.Now(), condition.Summary("reached")...)
}

// topic is a name no other test has, as flows of all namespaces compete for it.
func (w *world) topic() string { return "Orders-" + w.Namespace }

func (w *world) reconciler() *Reconciler {
	now := func() time.Time { return w.Now().Add(w.later) }
	return &Reconciler{Client: w.Client, Applier: w.Applier, Connector: w.Connector, Verified: w.verified, Recorder: w.Recorder, Now: now}
}

// step calls Reconcile once and reads the flow anew, unless it is gone.
func (w *world) step(t *testing.T, flow *v1alpha1.OrderFlow) ctrl.Result {
	t.Helper()
	answer, err := w.reconciler().Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(flow)})
	if err != nil {
		t.Logf("reconcile: %v", err)
	}
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(flow), flow); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return answer
}

// settle reconciles a new flow as often as it takes to claim and write the topic, and, if it has groups then, to write the binding once they are
// seeded.
func (w *world) settle(t *testing.T, flow *v1alpha1.OrderFlow) {
	t.Helper()
	w.step(t, flow)
	w.step(t, flow)
	if w.seed(t, flow) {
		w.step(t, flow)
	}
}

// seed tells the flow's groups that their start offsets are set, and whether there are any.
func (w *world) seed(t *testing.T, flow *v1alpha1.OrderFlow) bool {
	t.Helper()
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := w.List(t.Context(), groups, client.InNamespace(flow.Namespace), client.MatchingLabels{FlowLabel: flow.Name}); err != nil {
		t.Fatal(err)
	}
	for i := range groups.Items {
		groups.Items[i].Status.SeededTime = new(metav1.NewTime(w.Now()))
		if err := w.Status().Update(t.Context(), &groups.Items[i]); err != nil {
			t.Fatal(err)
		}
	}
	return len(groups.Items) > 0
}

// admin is the test's own way to the brokers.
func (w *world) admin(t *testing.T) *topology.Admin {
	t.Helper()
	admin, r := w.Connector.Connect(t.Context(), w.cluster)
	if !r.IsDone() {
		t.Fatal(r.Message)
	}
	return admin
}

// put makes the topic on every broker, as somebody else would.
func (w *world) put(t *testing.T, config rocketmq.TopicConfig) {
	t.Helper()
	for _, b := range w.mq.Brokers() {
		if err := w.admin(t).PutTopic(t.Context(), b.Addr(), config); err != nil {
			t.Fatal(err)
		}
	}
}

// queues returns the topic's read queues on each broker; -1: it is not there.
func (w *world) queues(t *testing.T, topic string) []int {
	t.Helper()
	var list []int
	for _, b := range w.mq.Brokers() {
		config, err := w.admin(t).TopicConfig(t.Context(), b.Addr(), topic)
		if err != nil {
			config.ReadQueues = -1
		}
		list = append(list, config.ReadQueues)
	}
	return list
}

func (w *world) wantQueues(t *testing.T, topic string, want ...int) {
	t.Helper()
	if got := w.queues(t, topic); !slices.Equal(got, want) {
		t.Errorf("the brokers have %v queues of the topic, want %v", got, want)
	}
}

// secret reads a Secret; nil if there is none.
func (w *world) secret(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	err := w.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}
