// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// has reports whether one of the events since the last call begins so and contains all the texts.
func (w *world) has(prefix string, texts ...string) bool {
	w.t.Helper()
	events := w.Events()
	for _, e := range events {
		found := strings.HasPrefix(e, prefix)
		for _, text := range texts {
			found = found && strings.Contains(e, text)
		}
		if found {
			return true
		}
	}
	w.t.Logf("the events are %q", events)
	return false
}

// deleteGroup deletes the group with its offsets on the first broker, as somebody else would.
func (w *world) deleteGroup() {
	w.must(w.client.DeleteGroup(w.t.Context(), w.mq.Broker().Addr(), w.group.Spec.Group, true))
}

func TestAGroupThatSomebodyDeletedGoesOnWhereItStood(t *testing.T) {
	for sentence, test := range map[string]struct {
		// lose is done between two looks at the offsets.
		lose func(*world)
		want int64
	}{
		"with its offsets": {(*world).deleteGroup, 2},
		"with its offsets and the topic, which was made anew and has other messages": {func(w *world) {
			w.must(w.client.DeleteTopic(w.t.Context(), w.mq.Broker().Addr(), "Orders"))
			w.topic(topicQueues)
			w.send(0, 4)
			w.deleteGroup()
		}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, nil)
			w.settle()
			w.mq.SetClock(-time.Hour) // of what was sent long ago
			w.send(0, 5)
			w.mq.SetClock(0)
			w.commit(0, 2)
			w.beat()
			w.Events()
			test.lose(w)
			w.later = time.Minute
			w.beat()
			w.must(second(w.reconcile()))
			if got := w.offset(0); got != test.want {
				t.Errorf("it goes on at %d, want %d", got, test.want)
			}
			if !w.has("Warning OffsetsLost", "Orders at broker-a queue 0 goes on at", "somebody deleted offsets of group push") {
				t.Error("nobody was told")
			}
			w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		})
	}
}

func TestANewGroupDoesNotGoOnWhereAnotherOfItsNameStood(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.send(0, 5)
	w.commit(0, 2)
	w.beat()
	w.deleteGroup()
	w.later = time.Minute
	w.beat()
	w.group.Status.SeededTime = nil
	w.must(w.Status().Update(t.Context(), w.group))
	w.must(second(w.reconcile()))
	if got := w.offset(0); got != 5 {
		t.Errorf("it begins at %d, want 5, the latest", got)
	}
}

func TestOffsetsThatNobodyRemembersDoNotBeginAtLatest(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	w.send(0, 5)
	w.commit(0, 2)
	w.deleteGroup()
	w.Events()
	w.must(second(w.reconcile()))
	if got := w.offset(0); got != 0 {
		t.Errorf("it goes on at %d and skips messages", got)
	}
	events := strings.Join(w.Events(), "\n")
	for _, want := range []string{"Warning GroupMade group push was not on broker-a and was made there", "Normal OffsetsSet", "Orders at broker-a queue 0 goes on at 0"} {
		if !strings.Contains(events, want) {
			t.Errorf("no event says %q:\n%s", want, events)
		}
	}
	if _, err := w.client.GroupConfig(t.Context(), w.mq.Broker().Addr(), "push"); err != nil {
		t.Errorf("the group was not made again: %v", err)
	}
}

func TestAGroupOfATopicThatNobodyMayReadSaysSo(t *testing.T) {
	w := newWorld(t, nil)
	flow := w.Flow("order-paid", "Orders")
	flow.Spec.Topic.Permission = v1alpha1.TopicWrite
	w.Create(t, flow)
	w.settle()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonTopicNotReadable, "OrderFlow order-paid gives it the permission Write", "ReadWrite, or to Read")
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if w.offset(0) != 0 {
		t.Error("the group has no start offsets: it would skip what waits")
	}
}

func TestPodsGetWhomTheClusterTrusts(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	if volumes := w.deployment().Spec.Template.Spec.Volumes; len(volumes) == 0 {
		t.Fatal("there are no volumes")
	}
	in := &inputs{group: w.group, cluster: w.cluster.DeepCopy()}
	in.cluster.Spec.TLS = &v1alpha1.MQClusterTLS{Mode: v1alpha1.TLSVerify, CASecretRef: &v1alpha1.LocalObjectReference{Name: "ca"}, ServerName: "mq.example"}
	in.adapters = map[string]*v1alpha1.ThirdPartyAdapter{"sms": w.Adapter("sms")}
	if tls := structure(in).BrokerTLS; tls == nil || !tls.CA || tls.ServerName != "mq.example" {
		t.Errorf("pods are told %+v", tls)
	}
	volumes, mounts := podVolumes(in, "structure")
	var found bool
	for i, v := range volumes {
		if v.Secret != nil && v.Secret.SecretName == "ca" {
			found = mounts[i].MountPath == "/etc/orderflow/broker-tls" && len(v.Secret.Items) == 1 && v.Secret.Items[0].Key == "ca.crt"
		}
	}
	if !found {
		t.Errorf("no volume has the certificates: %+v", volumes)
	}
	in.cluster.Spec.TLS = nil
	if structure(in).BrokerTLS != nil {
		t.Error("pods are told to speak TLS with brokers that do not")
	}
}

func TestANewBrokerGetsTheGroup(t *testing.T) {
	w := newWorld(t, nil)
	late := w.mq.Brokers()[1]
	late.Stop() // it is to be new
	all := w.cluster.Status.Brokers
	w.cluster.Status.Brokers = all[:1]
	w.must(w.Status().Update(t.Context(), w.cluster))
	w.settle()
	w.want(v1alpha1.ConditionBrokerReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	w.must(late.Start())
	w.must(w.client.DeleteTopic(t.Context(), late.Addr(), "Orders"))
	w.topic(topicQueues)
	w.must(second(w.reconcile()))
	if _, err := w.client.GroupConfig(t.Context(), late.Addr(), "push"); err != nil {
		t.Errorf("the new broker does not have the group: %v", err)
	}
	queue := rocketmq.Queue{Topic: "Orders", Broker: late.Name()}
	if offset, err := w.client.QueryOffset(t.Context(), late.Addr(), "push", queue); err != nil || offset != 0 {
		t.Errorf("on the new broker the group begins at %d, %v; want 0", offset, err)
	}
}
