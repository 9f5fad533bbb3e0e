// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/index"
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
		wakes   handler.MapFunc
		changed client.Object
		want    string
	}{
		"a cluster wakes all that are on it":                     {w.r.groupsIn(index.Cluster, nameOf), w.cluster, "credit push second"},
		"an adapter wakes those that call it":                    {w.r.groupsIn(index.Adapter, nameOf), w.Adapter("points"), "credit"},
		"a group wakes the others that share an adapter with it": {w.r.groupsIn(index.Adapter, adaptersOf), w.group, "second"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var names []string
			for _, request := range test.wakes(t.Context(), test.changed) {
				names = append(names, request.Name)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("it wakes %q, want %q", got, test.want)
			}
		})
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
	migrate := func(g *v1alpha1.MQConsumerGroup) { g.Spec.AdoptionPolicy = v1alpha1.AdoptionMigrate }
	t.Run("it is migrated beside its members", func(t *testing.T) {
		w := newWorld(t, migrate)
		there(w)
		w.join("10.0.0.9@1234")
		w.send(0, 5)
		w.settle()
		w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionFalse, v1alpha1.ReasonOffsetsNotSeeded, "waits until they have committed one")
		if w.offset(0) != -1 || w.deployment() != nil {
			t.Errorf("the offset %d was set where others may be at work, or pods were started", w.offset(0))
		}
		w.commitAll(2)
		w.settle()
		w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionTrue, v1alpha1.ReasonForeignConsumersOnline, "stop them one after the other", "10.0.0.9@1234")
		if d := w.deployment(); w.offset(0) != 2 || wantedReplicas(d) != 2 {
			t.Errorf("its offset 2 became %d, %d pods are wanted beside its members", w.offset(0), wantedReplicas(d))
		}
		w.leave("10.0.0.9@1234")
		w.settle()
		w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionFalse, v1alpha1.ReasonNoForeignConsumers)
	})
	t.Run("it is not migrated while its members want other messages", func(t *testing.T) {
		w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
			migrate(g)
			g.Spec.Subscription = v1alpha1.Subscription{Type: v1alpha1.SubscriptionTag, Tag: &v1alpha1.TagSubscription{Expression: "paid"}}
		})
		there(w)
		w.join("10.0.0.9@1234")
		w.settle()
		w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSubscriptionMismatch, `subscribe to "*" (TAG), this object to "paid" (TAG)`, "10.0.0.9@1234")
		if w.deployment() != nil || w.group.Status.ClusterIdentity != "" {
			t.Error("pods were started beside them, or the group was claimed")
		}
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

func TestTwoMQClustersThatAreOneHaveOneGroup(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	elsewhere := newWorldOn(t, w.mq.NameServer(), nil) // another namespace, and an MQCluster that has another identity and the same brokers
	elsewhere.must(second(elsewhere.reconcile()))
	elsewhere.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict, "belongs to MQConsumerGroup "+w.Namespace+"/push")
	apart := newWorld(t, nil) // brokers of their own
	apart.settle()
	apart.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

func TestABrokerThatRefuses(t *testing.T) {
	for sentence, test := range map[string]struct {
		fault  fake.Fault
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		"one of two brokers cannot be written": {fake.Fault{Op: rocketmq.OpPutTopic, Host: "broker-b", Code: rocketmq.CodeSystemError, Remark: "disk full"},
			metav1.ConditionUnknown, v1alpha1.ReasonPartlyApplied, "on 1 of 2 brokers only: broker broker-b"},
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
			w.want(v1alpha1.ConditionReady, test.status, test.reason, test.says)
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

// Templates alone are taken over by pods that run.
func TestAnotherHandlerReplacesPodsOneByOne(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.join(w.ownMember())
	old := structureOf(w.deployment())
	w.group.Spec.Handler.Push.TemplateID = "another"
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	limits := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: liveName(w.group)}}
	w.Read(t, limits)
	if d := w.deployment(); structureOf(d) != old || !strings.Contains(limits.Data["live.json"], `"templateId":"another"`) || w.group.Status.StructureName != old {
		t.Errorf("pods of %s take over templates, and pods of %s are wanted: %s", old, structureOf(d), limits.Data)
	}
	w.group.Spec.Handler.Push.TemplateID, w.group.Spec.Handler.Push.ToExpression = "third", "order."
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	w.Read(t, limits)
	if !strings.Contains(limits.Data["live.json"], `"templateId":"another"`) {
		t.Errorf("templates that cannot be compiled drive out those that could: %s", limits.Data)
	}
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidExpression, "handler.push.toExpression")
	w.group.Spec.Handler = v1alpha1.Handler{Type: v1alpha1.HandlerHTTP, HTTP: &v1alpha1.HTTPHandler{Steps: []v1alpha1.HTTPStep{{Name: "tell", AdapterRef: v1alpha1.LocalObjectReference{Name: "sms"}}}}}
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

// The Deployment controller may be making pods of before while nobody has counted them yet.
func TestASubscriptionDoesNotChangeBeforePodsInTheMakingAreCounted(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	old := structureOf(w.deployment())
	w.group.Spec.Subscription = v1alpha1.Subscription{Type: v1alpha1.SubscriptionTag, Tag: &v1alpha1.TagSubscription{Expression: "paid"}}
	w.Write(t, w.group)
	for range 3 {
		w.must(second(w.reconcile()))
		if d := w.deployment(); structureOf(d) != old || wantedReplicas(d) != 0 {
			t.Fatalf("%d pods of %s are wanted before the Deployment controller has looked", wantedReplicas(d), structureOf(d))
		}
	}
	w.roll()
	w.must(second(w.reconcile()))
	if d := w.deployment(); structureOf(d) == old || wantedReplicas(d) != 2 {
		t.Errorf("%d pods of %s are wanted", wantedReplicas(d), structureOf(d))
	}
}

func TestAGroupIsLookedAtAgainOnDemand(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.roll()
	w.beat()
	lose := func() { w.must(w.client.DeleteGroup(t.Context(), w.mq.Broker().Addr(), w.group.Spec.Group, true)) }
	lose()
	w.must(second(w.reconcile()))
	if w.offset(0) != -1 {
		t.Fatal("offsets that the sampler has just seen were looked at again")
	}
	w.group.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "10:15"}
	w.Write(t, w.group)
	w.must(second(w.reconcile()))
	if w.offset(0) == -1 || w.group.Status.LastHandledReconcileAt != "10:15" {
		t.Errorf("the offset is %d, and the status says %q", w.offset(0), w.group.Status.LastHandledReconcileAt)
	}
}

func TestAStrangerThatJoinsARunningGroupIsToldOf(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.join(w.ownMember())
	w.must(second(w.reconcile()))
	w.Events()
	w.join("10.0.0.9@1234")
	answer, err := w.reconcile()
	if w.must(err); answer.RequeueAfter > interval*11/10 {
		t.Errorf("somebody is about to stop the stranger, and it is looked for in %v", answer.RequeueAfter)
	}
	w.want(v1alpha1.ConditionForeignConsumers, metav1.ConditionTrue, v1alpha1.ReasonForeignConsumersOnline, "1 members of the group are no pods of this object", "10.0.0.9@1234", "stop them")
	if events := w.Events(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning ForeignConsumersOnline") {
		t.Errorf("the events are %q", events)
	}
	w.must(second(w.reconcile()))
	if events := w.Events(); len(events) != 0 {
		t.Errorf("nothing has changed, and the events are %q", events)
	}
}

func TestWhoCameLaterHasTheGroupWhenTheOlderIsGone(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	older, later := w.group, w.Group("another", "Orders")
	later.Spec.Group, later.Spec.AdoptionPolicy = "push", v1alpha1.AdoptionAdopt
	w.Create(t, later)
	w.group = later
	w.must(second(w.reconcile()))
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonConflict, "which is older: delete one of the two")
	w.must(w.Delete(t.Context(), older))
	w.settle()
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}
