// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestAGroupIsMadeReal(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, "0 of 2 pods are ready")
	for _, b := range w.mq.Brokers() {
		config, err := w.client.GroupConfig(t.Context(), b.Addr(), "push")
		w.must(err)
		if !config.ConsumeEnable || config.RetryMaxTimes != retryLimit {
			t.Errorf("on %s the group is %+v", b.Name(), config)
		}
		for _, topic := range []string{rocketmq.RetryTopic("push"), rocketmq.DeadLetterTopic("push")} {
			if _, err := w.client.TopicConfig(t.Context(), b.Addr(), topic); err != nil {
				t.Errorf("on %s: %v", b.Name(), err)
			}
		}
	}
	w.roll()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "messages of topic Orders are handled by 2 pods")
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionFalse, v1alpha1.ReasonNoForeignConsumers)
	w.want(v1alpha1.ConditionScaling, metav1.ConditionFalse, string(v1alpha1.BoundFixed))
	status := w.group.Status
	if status.Replicas != 2 || status.ReadyReplicas != 2 || status.Selector != "orderflow.dev/consumer-group=push" || status.ClusterIdentity == "" ||
		status.SeededTime == nil || status.LastVerifiedTime == nil || status.StructureName == "" || status.LiveRevision == "" {
		t.Errorf("the status lacks something: %+v", status)
	}

	w.Events()
	before := w.group.ResourceVersion
	w.must(second(w.reconcile()))
	if w.group.ResourceVersion != before {
		t.Error("a look without a change was written down")
	}
	if got := w.Events(); len(got) != 0 {
		t.Errorf("a look without a change sent the events %q", got)
	}
	if calls := len(w.mq.Calls(rocketmq.OpPutGroup)); calls != 2 {
		t.Errorf("the group was written %d times to two brokers", calls)
	}
}

func second[A any](_ A, err error) error { return err }

func TestAPodThatCannotStartIsExplained(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "push-1", Labels: selector(w.group)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "nope"}}},
	}
	w.Create(t, pod)
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
	w.must(w.Status().Update(t.Context(), pod))
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady, "pod push-1: ImagePullBackOff: no such image")
	w.want(v1alpha1.ConditionConfigCurrent, metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "pod push-1 was not asked yet")
}

func TestAPodThatIsOverIsNoPod(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "push-1", Labels: selector(w.group)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "nope"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"},
	}
	w.Create(t, pod)
	if pods, err := Pods(t.Context(), w.Client, client.ObjectKeyFromObject(w.group)); err != nil || len(pods) != 0 {
		t.Errorf("got %d pods: %v", len(pods), err)
	}
}

func TestWhoIsWokenByWhom(t *testing.T) {
	w := newWorld(t, nil)
	other := w.Group("credit", "Orders")
	other.Spec.Handler.Push.AdapterRef.Name = "points"
	third := w.Group("second", "Orders")
	w.Create(t, other, third)
	for sentence, test := range map[string]struct {
		concerned func(*v1alpha1.MQConsumerGroup, client.Object) bool
		changed   client.Object
		want      string
	}{
		"a cluster wakes all that are on it":                     {onCluster, w.cluster, "credit push second"},
		"an adapter wakes those that call it":                    {callsAdapter, w.Adapter("points"), "credit"},
		"a group wakes the others that share an adapter with it": {sharesAdapter, w.group, "second"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var names []string
			for _, request := range w.r.groupsOf(test.concerned)(t.Context(), test.changed) {
				names = append(names, request.Name)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("it wakes %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhereAGroupBegins(t *testing.T) {
	for sentence, test := range map[string]struct {
		from v1alpha1.StartFrom
		want int64
	}{
		"Latest skips what was there":       {v1alpha1.StartFrom{Position: v1alpha1.StartLatest}, 5},
		"Earliest begins with all there is": {v1alpha1.StartFrom{Position: v1alpha1.StartEarliest}, 0},
		"Timestamp begins at a time, here before all": {
			v1alpha1.StartFrom{Position: v1alpha1.StartTimestamp, Timestamp: new(metav1.NewTime(time.Now().Add(-time.Hour)))}, 0},
		"Timestamp begins at a time, here after all": {
			v1alpha1.StartFrom{Position: v1alpha1.StartTimestamp, Timestamp: new(metav1.NewTime(time.Now().Add(time.Hour)))}, 5},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Consume.StartFrom = test.from })
			w.send(0, 5)
			w.settle()
			if got := w.offset(0); got != test.want {
				t.Errorf("it begins at %d, want %d", got, test.want)
			}
			if got := w.offset(1); got != 0 {
				t.Errorf("in an empty queue it begins at %d", got)
			}
		})
	}
}

func TestAWrongReferenceSkipsNoMessage(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Handler.Push.AdapterRef.Name = "missing" })
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAdapterNotFound, `ThirdPartyAdapter "missing"`)
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if w.deployment() != nil {
		t.Error("pods were started that cannot call anybody")
	}
	w.send(0, 5) // by the shop, which knows nothing of adapters
	adapter := w.Adapter("missing")
	adapter.Status = v1alpha1.ThirdPartyAdapterStatus{ObservedGeneration: 1, Conditions: w.conditionReady()}
	w.Create(t, adapter)
	w.must(second(w.reconcile()))
	if got := w.offset(0); got != 0 {
		t.Errorf("it begins at %d and skips what was sent before the adapter was there", got)
	}
	if w.deployment() == nil {
		t.Error("there are no pods")
	}
}

func TestLimitsReachThePodsWhileABrokerIsAway(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	before := w.group.Status.LiveRevision
	w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
	adapter := w.Adapter("sms")
	w.Read(t, adapter)
	adapter.Spec.Timeout = duration(time.Second)
	w.Write(t, adapter)
	adapter.Status.ObservedGeneration = adapter.Generation
	w.must(w.Status().Update(t.Context(), adapter))
	_, _ = w.reconcile() // what it says is in the status
	w.want(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable)
	if w.group.Status.LiveRevision == before {
		t.Error("the pods keep the limits of before")
	}
}

func TestAnOffsetThatIsThereIsNeverTouched(t *testing.T) {
	w := newWorld(t, nil)
	w.send(0, 5)
	w.commit(0, 2)
	w.settle()
	if got := w.offset(0); got != 2 {
		t.Errorf("the committed offset 2 became %d", got)
	}
}

func TestAQueueThatAppearsLaterLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.topic(topicQueues + 1)
	w.send(topicQueues, 3) // before anybody saw the queue
	w.must(second(w.reconcile()))
	if got := w.offset(topicQueues); got != 0 {
		t.Errorf("in the new queue it begins at %d and skips what came first", got)
	}
}

func TestThePulseSeesAQueueThatAppearsLater(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.must(second(w.reconcile()))
	w.beat()
	w.later = time.Minute
	w.topic(topicQueues + 1)
	if !w.beat() {
		t.Error("nobody was told of a queue without an offset")
	}
}

func TestTheClaimIsWrittenBeforeTheBroker(t *testing.T) {
	w := newWorld(t, nil)
	w.mq.Inject(fake.Fault{Op: rocketmq.OpPutGroup, Cut: true, Late: true}) // done, but nobody hears of it
	w.must(second(w.reconcile()))
	if w.group.Status.ClusterIdentity == "" || len(w.mq.Calls(rocketmq.OpPutGroup)) != 0 {
		t.Fatalf("claimed %q after %d writes", w.group.Status.ClusterIdentity, len(w.mq.Calls(rocketmq.OpPutGroup)))
	}
	if _, err := w.reconcile(); err == nil {
		t.Fatal("a write whose answer was lost is no error")
	}
	w.want(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable)
	w.mq.Heal()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestAGroupThatWasThereBefore(t *testing.T) {
	there := func(w *world) {
		w.must(w.client.PutGroup(t.Context(), w.mq.Brokers()[1].Addr(), rocketmq.NewGroupConfig("push")))
	}
	adopt := func(g *v1alpha1.MQConsumerGroup) { g.Spec.AdoptionPolicy = v1alpha1.AdoptionAdopt }

	t.Run("it is not touched", func(t *testing.T) {
		w := newWorld(t, nil)
		there(w)
		before := len(w.mq.Calls(rocketmq.OpPutGroup))
		w.settle()
		w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAlreadyExists, "broker-b", "set adoptionPolicy to Adopt")
		w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionUnknown, v1alpha1.ReasonAlreadyExists)
		w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "there are no pods yet")
		if len(w.mq.Calls(rocketmq.OpPutGroup)) != before || w.deployment() != nil {
			t.Error("something was written all the same")
		}
	})
	t.Run("it is adopted with its offsets", func(t *testing.T) {
		w := newWorld(t, adopt)
		there(w)
		w.send(0, 5)
		w.commit(0, 1)
		w.settle()
		w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		if got := w.offset(0); got != 1 {
			t.Errorf("its offset 1 became %d", got)
		}
	})
	t.Run("it is adopted when its members have left", func(t *testing.T) {
		w := newWorld(t, adopt)
		there(w)
		w.join("10.0.0.9@1234")
		w.must(second(w.reconcile()))
		w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonForeignConsumersOnline, "stop them: 10.0.0.9@1234")
		w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionTrue, v1alpha1.ReasonForeignConsumersOnline, "stop them, or give this object a group of its own")
		if w.deployment() != nil {
			t.Error("pods were started beside them")
		}
		w.leave("10.0.0.9@1234")
		w.settle()
		w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})
	t.Run("a broker that makes groups by being asked does not look like an owner", func(t *testing.T) {
		w := newWorld(t, nil)
		w.must(second(w.reconcile()))
		if asked := len(w.mq.Calls(rocketmq.OpGroupConfig)); asked != 0 {
			t.Errorf("the group was asked for %d times before it was claimed", asked)
		}
	})
}

func TestTwoObjectsForOneGroup(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	other := w.Group("another", "Orders")
	other.Spec.Group = "push"
	w.Create(t, other)
	w.group = other
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict, "belongs to MQConsumerGroup "+w.Namespace+"/push")
}

func TestABrokerThatRefuses(t *testing.T) {
	for sentence, test := range map[string]struct {
		fault  fake.Fault
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		"one of two brokers cannot be written": {fake.Fault{Op: rocketmq.OpPutTopic, Host: "broker-b", Code: rocketmq.CodeSystemError, Remark: "disk full"},
			metav1.ConditionUnknown, v1alpha1.ReasonPartlyApplied, "on 1 of 2 brokers only"},
		"offsets cannot be written": {fake.Fault{Op: rocketmq.OpCommitOffset, Code: rocketmq.CodeSystemError, Remark: "disk full"},
			metav1.ConditionUnknown, v1alpha1.ReasonOffsetsNotSeeded, "disk full; no new pod starts before every queue has one"},
		"no broker can be written": {fake.Fault{Op: rocketmq.OpPutGroup, Code: rocketmq.CodeSystemError, Remark: "disk full"},
			metav1.ConditionUnknown, v1alpha1.ReasonBrokerRefused, "disk full"},
		"the access key may not": {fake.Fault{Op: rocketmq.OpPutGroup, Code: rocketmq.CodeNoPermission, Remark: "denied"},
			metav1.ConditionFalse, v1alpha1.ReasonPermissionDenied, "access key"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, nil)
			w.must(second(w.reconcile()))
			w.mq.Inject(test.fault)
			_, _ = w.reconcile() // what it says is in the status
			w.want(v1alpha1.ConditionBrokerReady, test.status, test.reason, test.says)
			if w.deployment() != nil {
				t.Error("pods were started before the broker was ready")
			}
			w.mq.Heal()
			w.must(second(w.reconcile()))
			w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		})
	}
}

func TestWhatWasChangedOnTheBrokerIsCorrected(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	addr := w.mq.Broker().Addr()
	config, err := w.client.GroupConfig(t.Context(), addr, "push")
	w.must(err)
	config.ConsumeEnable = false
	w.must(w.client.PutGroup(t.Context(), addr, config))
	w.must(w.client.DeleteTopic(t.Context(), addr, rocketmq.RetryTopic("push")))
	w.must(second(w.reconcile()))
	if config, err = w.client.GroupConfig(t.Context(), addr, "push"); err != nil || !config.ConsumeEnable {
		t.Errorf("the group is %+v: %v", config, err)
	}
	if _, err := w.client.TopicConfig(t.Context(), addr, rocketmq.RetryTopic("push")); err != nil {
		t.Errorf("the retry topic: %v", err)
	}
}

func TestABrokerThatIsAwayChangesNoPod(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	before := w.deployment()
	w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
	w.group.Spec.Replicas = new(int32(1))
	w.Write(t, w.group)
	_, _ = w.reconcile() // what it says is in the status
	w.want(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerUnreachable)
	w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionUnknown, v1alpha1.ReasonNotRead)
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if after := w.deployment(); after.Generation != before.Generation {
		t.Errorf("the Deployment was changed to %+v", after.Spec)
	}
}

func TestASubscriptionChangesWithoutTwoAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.join(w.ownMember())
	old := structureOf(w.deployment())
	w.group.Spec.Subscription = v1alpha1.Subscription{Type: v1alpha1.SubscriptionTag, Tag: &v1alpha1.TagSubscription{Expression: "paid"}}
	w.Write(t, w.group)

	w.must(second(w.reconcile()))
	if d := w.deployment(); structureOf(d) != old || wantedReplicas(d) != 0 {
		t.Fatalf("first all pods stop; %d of %s are wanted", wantedReplicas(d), structureOf(d))
	}
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "changes from *, Push to paid, Push")
	w.roll() // they are gone, but the broker does not know yet
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "1 members at the broker are left")
	w.leave(w.ownMember())
	w.must(second(w.reconcile()))
	if d := w.deployment(); structureOf(d) == old || wantedReplicas(d) != 2 {
		t.Errorf("now the new ones start; %d of %s are wanted", wantedReplicas(d), structureOf(d))
	}
	w.roll()
	w.must(second(w.reconcile()))
	var left corev1.ConfigMapList
	w.must(w.List(t.Context(), &left, client.InNamespace(w.Namespace), client.MatchingLabels{labelConfig: "structure"}))
	if len(left.Items) != 1 || left.Items[0].Name == old {
		t.Errorf("%d structures are left", len(left.Items))
	}
}

func TestAnotherHandlerReplacesPodsOneByOne(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.join(w.ownMember())
	old := structureOf(w.deployment())
	w.group.Spec.Handler.Push.TemplateID = "another"
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	if d := w.deployment(); structureOf(d) == old || wantedReplicas(d) != 2 {
		t.Errorf("%d pods of %s are wanted", wantedReplicas(d), structureOf(d))
	}
}

func TestAnObjectOfTheNameThatIsSomebodyElses(t *testing.T) {
	w := newWorld(t, nil)
	w.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "push"}})
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed, "ServiceAccount push exists and belongs to no OrderFlow object")
}

func TestScaleIsServed(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.must(w.SubResource("scale").Update(t.Context(), w.group, client.WithSubResourceBody(&autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "push", ResourceVersion: w.group.ResourceVersion}, Spec: autoscalingv1.ScaleSpec{Replicas: 0},
	})))
	w.must(second(w.reconcile()))
	if got := wantedReplicas(w.deployment()); got != 0 {
		t.Errorf("%d pods are wanted", got)
	}
	w.roll()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "no pod is wanted")
	w.want(v1alpha1.ConditionWorkloadReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	if events := w.Events(); !slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "Normal Scaled from 2 to 0 pods") }) {
		t.Errorf("the events are %q", events)
	}
}

func TestAnOldReadIsNoErrorAndOverwritesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	old := w.group.DeepCopy()
	w.roll()
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	version := w.group.ResourceVersion
	w.r.Client = outdated{w.Client, old}
	answer, err := w.reconcile()
	if err != nil || answer.RequeueAfter == 0 || answer.RequeueAfter > time.Second {
		t.Errorf("it is looked at again after %v, with error %v", answer.RequeueAfter, err)
	}
	if w.group.ResourceVersion != version {
		t.Error("a decision on an old read was written")
	}
}

// outdated is a client whose cache has an old group.
type outdated struct {
	client.Client
	group *v1alpha1.MQConsumerGroup
}

func (o outdated) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if group, ok := object.(*v1alpha1.MQConsumerGroup); ok {
		o.group.DeepCopyInto(group)
		return nil
	}
	return o.Client.Get(ctx, key, object, opts...)
}

func TestAStepIsRememberedWhereItWasMade(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(1)), MaxReplicas: 3}
	})
	w.settle()
	seen := &inputs{group: w.group.DeepCopy(), deployment: w.deployment()}
	seen.group.Status.Scaling = nil // as read before the step was written down
	if got := scalingInput(seen, w.Now()).LastStep; w.Now().Sub(got) > time.Minute {
		t.Errorf("the pods were made just now, and the last step was at %v", got)
	}
}

func TestTheFirstMessageWakesAGroupAtZero(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		g.Spec.Replicas, g.Spec.Scaling = nil, &v1alpha1.Scaling{MinReplicas: new(int32(0)), MaxReplicas: 3}
	})
	w.settle()
	if got := wantedReplicas(w.deployment()); got != 0 {
		t.Fatalf("%d pods are wanted while nothing waits", got)
	}
	w.roll()
	w.must(second(w.reconcile()))
	w.beat()
	w.must(second(w.reconcile()))
	w.send(0, 1)
	if !w.beat() {
		t.Fatal("nobody was told of the message")
	}
	w.must(second(w.reconcile()))
	if got := wantedReplicas(w.deployment()); got != 1 {
		t.Errorf("%d pods are wanted", got)
	}
	if s := w.group.Status.Scaling; s.Bound != v1alpha1.BoundNone || !strings.Contains(s.Message, "woken by 1") || s.LastScaleTime == nil {
		t.Errorf("the decision reads %+v", s)
	}
	if lag := w.group.Status.Lag; lag == nil || *lag != 1 {
		t.Errorf("the lag reads %v", lag)
	}
}
