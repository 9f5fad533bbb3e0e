// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestNothingLeadsToAnEditedClusterBeforeItWasLookedAt(t *testing.T) {
	w, other := newWorld(t), fake.Start(t, fake.Config{})
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	w.Read(t, w.cluster)
	w.cluster.Spec.NameServers = []string{other.NameServer()}
	w.Write(t, w.cluster)

	w.later = 2 * VerifyEvery
	w.step(t, flow)

	suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonClusterNotReady, "MQCluster mq", "generation 1 of its spec, not of 2")
	if got := string(w.secret(t, "order-paid-producer").Data["name-servers"]); got != w.mq.NameServer() {
		t.Errorf("the order system is sent to %s, which nobody has looked at; want %s still", got, w.mq.NameServer())
	}
	if _, err := w.admin(t).TopicConfig(t.Context(), other.Broker().Addr(), w.topic()); err == nil {
		t.Error("the topic was written to a cluster that nobody has looked at")
	}
}

func TestTheOrderSystemIsBoundOnceNoGroupWouldMissItsFirstOrders(t *testing.T) {
	for sentence, test := range map[string]struct {
		start v1alpha1.StartPosition
		// group is what the group says.
		group func(*v1alpha1.MQConsumerGroup)
		bound bool
	}{
		"the group has not been looked at":         {},
		"the group is on its way":                  {group: says(result.Wait(v1alpha1.ReasonProgressing, 0, "soon"))},
		"the group has its start offsets":          {group: func(g *v1alpha1.MQConsumerGroup) { g.Status.SeededTime = new(metav1.Now()) }, bound: true},
		"the group waits for somebody":             {group: says(result.Stall(v1alpha1.ReasonAdapterNotFound, "there is no adapter")), bound: true},
		"the group begins with what is there then": {start: v1alpha1.StartEarliest, bound: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			flow := w.Flow("order-paid", w.topic())
			if test.start != "" {
				flow.Spec.Consumers[0].Consume.StartFrom.Position = test.start
			}
			w.Create(t, flow)
			w.step(t, flow)
			w.step(t, flow)
			if test.group != nil {
				group := w.Group("order-paid-push", "")
				w.Read(t, group)
				test.group(group)
				if err := w.Status().Update(t.Context(), group); err != nil {
					t.Fatal(err)
				}
				w.step(t, flow)
			}
			if bound := w.secret(t, "order-paid-producer") != nil; bound != test.bound || bound != (flow.Status.Binding != nil) {
				t.Errorf("the binding is there: %t, and in the status: %v; want %t", bound, flow.Status.Binding, test.bound)
			}
			if !test.bound {
				suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGroupNotReady,
					"Secret order-paid-producer is written when MQConsumerGroup order-paid-push has its start offsets")
			}
		})
	}
}

func TestNobodyIsBoundToATopicThatIsNowhere(t *testing.T) {
	w := newWorld(t)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.mq.Inject(fake.Fault{Op: rocketmq.OpPutTopic, Code: rocketmq.CodeSystemError, Remark: "disk full"})
	look := func() { // whose error, if there is one, the status tells
		_, _ = w.reconciler().Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(flow)})
		w.Read(t, flow)
	}
	look()
	look()
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	says(result.Stall(v1alpha1.ReasonAdapterNotFound, "there is no adapter"))(group)
	if err := w.Status().Update(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	look()
	if w.secret(t, "order-paid-producer") != nil {
		t.Error("the order system may send, and the group, which nobody waits for, has no queue to begin in")
	}
	w.mq.Heal()
	look()
	if w.secret(t, "order-paid-producer") == nil {
		t.Error("the topic is there, and nobody is bound to it")
	}
}

// says is a group that was looked at, with this result.
func says(r result.Result) func(*v1alpha1.MQConsumerGroup) {
	return func(group *v1alpha1.MQConsumerGroup) {
		group.Status.ObservedGeneration = group.Generation
		condition.Set(&group.Status.Conditions, group.Generation, time.Now(), condition.Summary("", r)...)
	}
}

func TestTheBindingSaysThatTheBrokersSpeakTLS(t *testing.T) {
	w := newWorld(t)
	authority := certificatetest.NewAuthority(t)
	ca := w.Credential("ca", "", map[string]string{"ca.crt": authority.PEM})
	w.Create(t, ca)
	flow := w.Flow("order-paid", w.topic())
	spec := &v1alpha1.MQClusterTLS{Mode: v1alpha1.TLSVerify, CASecretRef: &v1alpha1.LocalObjectReference{Name: "ca"}, ServerName: "mq.example"}
	cluster := w.cluster.DeepCopy()
	cluster.Spec.TLS = spec
	trust, r := w.Connector.Trust(t.Context(), cluster)
	if !r.IsDone() {
		t.Fatal(r.Message)
	}
	data := desiredBinding(flow, cluster, rocketmq.Credentials{}, trust).Data
	if string(data["tls"]) != "Verify" || string(data["ca.crt"]) != authority.PEM || string(data["tls-server-name"]) != "mq.example" {
		t.Errorf("the binding says tls %q, name %q and has %d bytes of certificates", data["tls"], data["tls-server-name"], len(data["ca.crt"]))
	}
	for key := range desiredBinding(flow, w.cluster, rocketmq.Credentials{}, topology.Trust{}).Data {
		if key == "tls" || key == "ca.crt" || key == "tls-server-name" {
			t.Errorf("the binding of a cluster in plain text has the key %s", key)
		}
	}
}

func TestOneTopicOnTwoClustersOfANamespaceIsTwoTopics(t *testing.T) {
	w := newWorld(t)
	other := fake.Start(t, fake.Config{})
	second := w.Cluster(other.NameServer())
	second.Name = "other"
	second.Status = w.cluster.Status
	second.Status.Identity, second.Status.Brokers = "another", []v1alpha1.BrokerStatus{{Name: "broker-a", Address: other.Broker().Addr()}}
	first, theirs := w.Flow("order-paid", w.topic()), w.Flow("their-order-paid", w.topic())
	theirs.Spec.ClusterRef.Name = "other"
	w.Create(t, second, first, theirs)
	w.settle(t, first)
	w.settle(t, theirs)
	for _, flow := range []*v1alpha1.OrderFlow{first, theirs} {
		suite.WantCondition(t, flow.Status.Conditions, v1alpha1.ConditionTopicReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
	for secret, server := range map[string]string{"order-paid-producer": w.mq.NameServer(), "their-order-paid-producer": other.NameServer()} {
		if got := string(w.secret(t, secret).Data["name-servers"]); got != server {
			t.Errorf("Secret %s leads to %s, want %s", secret, got, server)
		}
	}
	if _, err := w.admin(t).TopicConfig(t.Context(), other.Broker().Addr(), w.topic()); err != nil {
		t.Errorf("the second cluster does not have the topic: %v", err)
	}
}
