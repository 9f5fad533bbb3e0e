// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/claim"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { suite.Main(m) }

// world is a namespace with a Ready MQCluster "mq" of two brokers.
type world struct {
	*suite.Suite
	mq      *fake.Cluster
	cluster *v1alpha1.MQCluster
	// later is how far the clock of the reconciler is ahead.
	later time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Suite: suite.New(t), mq: fake.Start(t, fake.Config{Brokers: 2})}
	w.cluster = w.Suite.Cluster(w.mq.NameServer())
	w.ready(w.cluster)
	w.Create(t, w.cluster)
	return w
}

// ready gives the cluster the status it has when its brokers answer.
func (w *world) ready(cluster *v1alpha1.MQCluster) {
	cluster.Status.Identity, cluster.Status.ClusterName = "physical", "DefaultCluster"
	for _, b := range w.mq.Brokers() {
		cluster.Status.Brokers = append(cluster.Status.Brokers, v1alpha1.BrokerStatus{Name: b.Name(), Address: b.Addr()})
	}
	condition.Set(&cluster.Status.Conditions, 1, w.Now(), condition.Summary("reached")...)
}

// topic is a name no other test has, as flows of all namespaces compete for it.
func (w *world) topic() string { return "Orders-" + w.Namespace }

func (w *world) reconciler() *Reconciler {
	now := func() time.Time { return w.Now().Add(w.later) }
	return &Reconciler{Client: w.Client, Applier: w.Applier, Connector: w.Connector, Recorder: w.Recorder, Now: now}
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

// settle reconciles a new flow as often as it takes to claim and write the topic.
func (w *world) settle(t *testing.T, flow *v1alpha1.OrderFlow) {
	t.Helper()
	w.step(t, flow)
	w.step(t, flow)
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

func TestAFlowMakesTopicBindingAndGroups(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)

	answer := w.step(t, flow)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "is claimed")
	w.wantQueues(t, w.topic(), -1, -1)
	if answer.RequeueAfter > time.Second {
		t.Errorf("after the claim it is looked at again in %v", answer.RequeueAfter)
	}
	if got := w.secret(t, "order-paid-producer"); got != nil {
		t.Error("the binding was written before the topic was this flow's")
	}

	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "2 brokers", "8 queues")
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady, "order-paid-push")

	want := map[string][]byte{
		"type": []byte("rocketmq"), "provider": []byte("orderflow"), "name-servers": []byte(w.mq.NameServer()), "topic": []byte(w.topic()),
		"group": []byte("order_producer_group"), "send-mode": []byte("Sync"), "send-timeout": []byte("3s"), "async-retries": []byte("0"),
	}
	binding := w.secret(t, "order-paid-producer")
	if diff := cmp.Diff(want, binding.Data); diff != "" || binding.Type != "servicebinding.io/rocketmq" {
		t.Errorf("the binding is of type %s and differs (-want +got):\n%s", binding.Type, diff)
	}
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	if group.Spec.Topic != w.topic() || group.Spec.Group != "push_consumer_group" || group.Spec.Replicas != nil || !metav1.IsControlledBy(group, flow) {
		t.Errorf("the group is not what the flow declares: %+v", group)
	}
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal TopicWritten") }) {
		t.Errorf("no event says that the topic was written: %q", events)
	}
}

func TestAFlowIsReadyWithItsGroupsAndSaysWhyNot(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	group := w.Group("order-paid-push", "")
	say := func(r result.Result) {
		t.Helper()
		w.Read(t, group)
		group.Status.ObservedGeneration, group.Status.Lag, group.Status.ReadyReplicas = group.Generation, new(int64(7)), 2
		condition.Set(&group.Status.Conditions, group.Generation, w.Now(), condition.Summary("fine", r)...)
		if err := w.Status().Update(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		w.step(t, flow)
	}

	say(result.Stall(v1alpha1.ReasonAdapterNotFound, "there is no adapter sms"))
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGroupNotReady, "order-paid-push", "there is no adapter sms")
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionConsumersReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady)

	say(result.Result{})
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionConsumersReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	want := []v1alpha1.FlowConsumerStatus{{Name: "push", GroupName: "order-paid-push", Ready: metav1.ConditionTrue, Reason: "Ready", Lag: new(int64(7)), ReadyReplicas: 2}}
	if diff := cmp.Diff(want, flow.Status.Consumers); diff != "" {
		t.Errorf("consumers (-want +got):\n%s", diff)
	}
}

func TestReplicasBelongToWhoeverScales(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	scaled := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":3}}`))
	if err := w.Patch(t.Context(), group, scaled, client.FieldOwner("kubectl-scale")); err != nil {
		t.Fatal(err)
	}
	w.step(t, flow)
	if w.Read(t, group); group.Spec.Replicas == nil || *group.Spec.Replicas != 3 {
		t.Errorf("replicas are %v after a reconcile, want the 3 that were set by hand", group.Spec.Replicas)
	}
}

func TestARemovedConsumerTakesItsGroupWithIt(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	second := v1alpha1.FlowConsumer{Name: "credit", ConsumerTemplate: suite.Consumer("credit_group")}
	flow.Spec.Consumers = append(flow.Spec.Consumers, second)
	w.Create(t, flow)
	w.settle(t, flow)
	flow.Spec.Consumers = flow.Spec.Consumers[:1]
	w.Write(t, flow)
	w.step(t, flow)
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := w.List(t.Context(), groups, client.InNamespace(w.Namespace)); err != nil {
		t.Fatal(err)
	}
	if len(groups.Items) != 1 || groups.Items[0].Name != "order-paid-push" {
		t.Errorf("%d groups are left, want order-paid-push alone", len(groups.Items))
	}
}

func TestATopicIsKeptAsDeclared(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)

	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead})
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 2, 2) // verified a moment ago
	w.later = verifyEvery + time.Second
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 4, 4)
	config, err := w.admin(t).TopicConfig(t.Context(), w.mq.Broker().Addr(), w.topic())
	if err != nil || config.Perm != readWrite {
		t.Errorf("the permission is %d, want it put right (%v)", config.Perm, err)
	}

	flow.Spec.Topic.QueuesPerBroker = 6
	w.Write(t, flow)
	w.step(t, flow)
	w.wantQueues(t, w.topic(), 6, 6)
}

func TestATopicWithMoreQueuesThanDeclaredKeepsThem(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 9, WriteQueues: 9, Perm: readWrite})
	flow := w.Flow("order-paid", w.topic())
	flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
	w.Create(t, flow)
	w.settle(t, flow)
	w.wantQueues(t, w.topic(), 9, 9)
	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "18 queues")
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "Normal TopicAdopted") }) {
		t.Errorf("no event says that the topic was taken over: %q", events)
	}
}

func TestWhatKeepsAFlowFromBeingReadyIsSaid(t *testing.T) {
	for sentence, test := range map[string]struct {
		// before makes the world so that the flow cannot be Ready; it may change the flow before it is created.
		before func(*testing.T, *world, *v1alpha1.OrderFlow)
		// settled makes it so after the flow was settled.
		settled func(*testing.T, *world, *v1alpha1.OrderFlow)

		stalled bool
		reason  string
		message []string
		topic   metav1.ConditionStatus
	}{
		"there is no cluster of the name": {
			before:  func(_ *testing.T, _ *world, flow *v1alpha1.OrderFlow) { flow.Spec.ClusterRef.Name = "other" },
			stalled: true, reason: v1alpha1.ReasonClusterNotFound, topic: metav1.ConditionUnknown,
			message: []string{"no MQCluster \"other\"", "spec.clusterRef"},
		},
		"the cluster is not ready": {
			settled: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				condition.Set(&w.cluster.Status.Conditions, 1, w.Now(), condition.Summary("", result.Wait(v1alpha1.ReasonNameServerUnreachable, 0, "no route to host"))...)
				if err := w.Status().Update(t.Context(), w.cluster); err != nil {
					t.Fatal(err)
				}
			},
			reason: v1alpha1.ReasonClusterNotReady, topic: metav1.ConditionUnknown,
			message: []string{"MQCluster mq", "NameServerUnreachable", "no route to host"},
		},
		"the topic was there before": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite})
			},
			stalled: true, reason: v1alpha1.ReasonAlreadyExists, topic: metav1.ConditionFalse,
			message: []string{"broker-a, broker-b", "set spec.topic.adoptionPolicy to Adopt", "restoring"},
		},
		"the topic is of another type": {
			before: func(t *testing.T, w *world, flow *v1alpha1.OrderFlow) {
				w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite, Attributes: map[string]string{"message.type": "DELAY"}})
				flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
			},
			stalled: true, reason: v1alpha1.ReasonTopicMismatch, topic: metav1.ConditionFalse,
			message: []string{"DELAY", "broker-a", "choose another topic"},
		},
		"one broker does not take the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Host: "broker-b", Cut: true})
			},
			reason: v1alpha1.ReasonPartlyApplied, topic: metav1.ConditionFalse,
			message: []string{"as declared on broker-a", "broker-b"},
		},
		"no broker takes the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Code: rocketmq.CodeSystemError, Remark: "disk full"})
			},
			reason: v1alpha1.ReasonBrokerRefused, topic: metav1.ConditionUnknown,
			message: []string{"disk full"},
		},
		"a broker takes the topic and has it otherwise": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicConfig, Host: "broker-b", Code: rocketmq.CodeTopicNotExist})
			},
			reason: v1alpha1.ReasonPartlyApplied, topic: metav1.ConditionFalse,
			message: []string{"as declared on broker-a", "broker-b", "it does not have the topic"},
		},
		"the key may not write topics": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Code: rocketmq.CodeNoPermission, Remark: "no topic:create"})
			},
			stalled: true, reason: v1alpha1.ReasonPermissionDenied, topic: metav1.ConditionFalse,
			message: []string{"no topic:create", "what the broker grants"},
		},
		"a broker cannot be asked whether it has the topic": {
			before: func(_ *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.mq.Inject(fake.Fault{Op: rocketmq.OpTopicConfig, Host: "broker-b", Cut: true})
			},
			reason: v1alpha1.ReasonBrokerUnreachable, topic: metav1.ConditionUnknown,
			message: []string{"whether broker broker-b has topic"},
		},
		"the binding's name is taken": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "order-paid-producer"}, StringData: map[string]string{"mine": "yes"}})
			},
			stalled: true, reason: v1alpha1.ReasonBindingSecretTaken, topic: metav1.ConditionTrue,
			message: []string{"Secret order-paid-producer", "spec.producer.bindingSecretName"},
		},
		"a group's name is taken": {
			before: func(t *testing.T, w *world, _ *v1alpha1.OrderFlow) {
				w.Create(t, w.Group("order-paid-push", "Another"))
			},
			stalled: true, reason: v1alpha1.ReasonGroupNameTaken, topic: metav1.ConditionTrue,
			message: []string{"MQConsumerGroup order-paid-push", "rename the consumer"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			if test.before != nil {
				test.before(t, w, flow)
			}
			w.Create(t, flow)
			w.settle(t, flow)
			if test.settled != nil {
				test.settled(t, w, flow)
				w.step(t, flow)
			}
			conditions := flow.Status.Conditions
			stalled := metav1.ConditionFalse
			if test.stalled {
				stalled = metav1.ConditionTrue
			}
			suite.WantCondition(t, conditions, v1alpha1.ConditionStalled, stalled, test.reason, test.message...)
			for _, c := range conditions {
				switch {
				case c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue:
					t.Error("the flow is Ready")
				case c.Type == v1alpha1.ConditionTopicReady && c.Status != test.topic:
					t.Errorf("TopicReady is %s, want %s: %s", c.Status, test.topic, c.Message)
				case c.ObservedGeneration != flow.Generation:
					t.Errorf("%s speaks of generation %d, not %d", c.Type, c.ObservedGeneration, flow.Generation)
				}
			}
		})
	}
}

func TestOfTwoFlowsWithOneTopicOnTheSameBrokersOneWins(t *testing.T) {
	w := newWorld(t)
	first := w.Flow("order-paid", w.topic())
	// The other team reaches the same brokers by another name, and saw them at another time.
	other := &world{Suite: suite.New(t), mq: w.mq}
	other.cluster = other.Suite.Cluster(w.mq.NameServer())
	other.ready(other.cluster)
	other.cluster.Status.Identity = "seen at another time"
	second := other.Flow("theirs", w.topic())
	w.Create(t, first)
	other.Create(t, other.cluster, second)

	w.settle(t, first)
	other.settle(t, second)

	winner, loser := first, second
	if claim.Winner([]claim.Claim{claimOf(first), claimOf(second)}).UID == second.UID { // made in the same second
		winner, loser = second, first
	}
	suite.WantCondition(t, winner.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	suite.WantCondition(t, loser.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict,
		winner.Namespace+"/"+winner.Name, "choose another topic")
	groups := &v1alpha1.MQConsumerGroupList{}
	if err := w.List(t.Context(), groups, client.InNamespace(loser.Namespace)); err != nil || len(groups.Items) > 0 {
		t.Errorf("the flow without a topic made %d groups (%v)", len(groups.Items), err)
	}
}

func TestWhatIsSomebodyElsesStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	w.put(t, rocketmq.TopicConfig{Name: w.topic(), ReadQueues: 2, WriteQueues: 2, Perm: readWrite})
	taken := w.Group("order-paid-push", "Another")
	w.Create(t, taken, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "order-paid-producer"}, StringData: map[string]string{"mine": "yes"}})
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.wantQueues(t, w.topic(), 2, 2)
	flow.Spec.Topic.AdoptionPolicy = v1alpha1.AdoptionAdopt
	w.Write(t, flow)
	w.settle(t, flow)
	if w.Read(t, taken); taken.Spec.Topic != "Another" || len(taken.OwnerReferences) > 0 {
		t.Error("a group that belongs to nobody was overwritten")
	}
	if got := w.secret(t, "order-paid-producer"); string(got.Data["mine"]) != "yes" || len(got.Data) != 1 {
		t.Error("a Secret that belongs to nobody was overwritten")
	}
}

func TestABindingThatIsRenamedLeavesNoneBehind(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	flow.Spec.Producer.BindingSecretName = "orders"
	w.Write(t, flow)
	w.step(t, flow)
	if w.secret(t, "orders") == nil || w.secret(t, "order-paid-producer") != nil {
		t.Error("want the Secret under its new name alone")
	}
	if flow.Status.Binding == nil || flow.Status.Binding.Name != "orders" {
		t.Errorf("status.binding is %v", flow.Status.Binding)
	}
}

func TestTheBindingHasTheKeyOfAClusterWithAccessControl(t *testing.T) {
	w := newWorld(t)
	w.Create(t, w.Credential("acl", "127.0.0.1", map[string]string{"access-key": "orderflow", "secret-key": "hidden"}))
	w.Read(t, w.cluster)
	w.cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	w.Write(t, w.cluster)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	data := w.secret(t, "order-paid-producer").Data
	if string(data["access-key"]) != "orderflow" || string(data["secret-key"]) != "hidden" {
		t.Error("the binding lacks the access key")
	}
	if _, has := data["security-token"]; has {
		t.Error("the binding has a token that the cluster's Secret does not have")
	}
}
