// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/installation"
)

func TestMain(m *testing.M) { suite.Main(m) }

// world is a group with its topics on a broker, a replay of its dead letters, and another group on the same topic.
type world struct {
	*suite.Suite
	t            *testing.T
	client       *rocketmq.Client
	addr, broker string
	r            *Reconciler
	cluster      *v1alpha1.MQCluster
	group        *v1alpha1.MQConsumerGroup
	adapter      *v1alpha1.ThirdPartyAdapter
	replay       *v1alpha1.DeadLetterReplay
	later        time.Duration
}

func newWorld(t *testing.T, nameServer string, change func(*v1alpha1.DeadLetterReplay)) *world {
	t.Helper()
	w := &world{Suite: suite.New(t), t: t, client: rocketmq.NewClient(rocketmq.Config{})}
	t.Cleanup(w.client.Close)
	cluster, err := rocketmq.NewCluster(w.client, []string{nameServer}, nil)
	w.must(err)
	masters, err := cluster.Masters(t.Context(), "")
	w.must(err)
	w.addr, w.broker = masters[0].Master(), masters[0].Name
	w.r = &Reconciler{
		Client: w.Client, Live: w.Client, Applier: w.Applier, Connector: w.Connector, Recorder: w.Recorder,
		Heard: func(types.NamespacedName) bool { return true },
		Now:   func() time.Time { return w.Now().Add(w.later) },
	}
	config, err := w.client.BrokerConfig(t.Context(), w.addr)
	w.must(err)
	ready := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.NewTime(w.Now())}}
	w.cluster = w.Cluster(nameServer)
	w.cluster.Status = v1alpha1.MQClusterStatus{ObservedGeneration: 1, Identity: "physical", Conditions: ready, Brokers: []v1alpha1.BrokerStatus{{Name: w.broker, Address: w.addr, DelayLevels: config[rocketmq.DelayLevels]}}}
	w.adapter = w.Adapter("sms")
	w.group = w.Group("push", "Orders")
	w.group.Status.Circuit = v1alpha1.CircuitClosed
	w.group.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionBrokerReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.NewTime(w.Now())}}
	w.replay = &v1alpha1.DeadLetterReplay{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "again"},
		Spec:       v1alpha1.DeadLetterReplaySpec{GroupRef: v1alpha1.LocalObjectReference{Name: "push"}, Rate: 100},
	}
	if change != nil {
		change(w.replay)
	}
	w.Create(t, w.cluster, w.adapter, w.group, w.replay)
	w.must(w.client.PutGroup(t.Context(), w.addr, rocketmq.NewGroupConfig(w.group.Spec.Group)))
	for _, topic := range []string{"Orders", w.letters().Topic, w.retries().Topic, rocketmq.RetryTopic("other")} {
		w.must(w.client.PutTopic(t.Context(), w.addr, rocketmq.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
	}
	// Its consumers hold the locks of their queues: a broker takes the group for one that keeps order, and what is written to its retry topic for dead.
	_, err = w.client.Lock(t.Context(), w.addr, w.group.Spec.Group, "pod", []rocketmq.Queue{{Topic: "Orders", Broker: w.broker}})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) letters() rocketmq.Queue {
	return rocketmq.Queue{Topic: rocketmq.DeadLetterTopic(w.group.Spec.Group), Broker: w.broker}
}

func (w *world) retries() rocketmq.Queue {
	return rocketmq.Queue{Topic: rocketmq.RetryTopic(w.group.Spec.Group), Broker: w.broker}
}

// levels makes the MQCluster say that its broker has these delay levels.
func (w *world) levels(text string) {
	w.t.Helper()
	w.cluster.Status.Brokers[0].DelayLevels = text
	w.must(w.Status().Update(w.t.Context(), w.cluster))
}

// renewLetters deletes the topic of dead letters, and makes it anew.
func (w *world) renewLetters() {
	w.t.Helper()
	w.must(w.client.DeleteTopic(w.t.Context(), w.addr, w.letters().Topic))
	w.must(w.client.PutTopic(w.t.Context(), w.addr, rocketmq.TopicConfig{Name: w.letters().Topic, ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
}

// bury stores a dead letter of message n, as a worker does.
func (w *world) bury(n int, change ...rocketmq.Field) {
	w.t.Helper()
	properties := map[string]string{
		rocketmq.PropertyUniqueKey: fmt.Sprint("U", n), rocketmq.PropertyKeys: fmt.Sprint("k", n), rocketmq.PropertyTags: "paid",
		rocketmq.PropertyRetryTopic: "Orders", "REAL_TOPIC": w.retries().Topic, rocketmq.PropertyOriginID: "0A00000100002A9F0000000000000300",
		"ORDERFLOW_KIND": "dead", "ORDERFLOW_REASON": "RetriesExhausted", "ORDERFLOW_ATTEMPTS": "16", "ORDERFLOW_BORN": fmt.Sprint(w.Now().Add(-time.Hour).UnixMilli()),
	}
	for _, f := range change {
		properties[f.Name] = f.Value
	}
	m := rocketmq.OutMessage{Body: []byte(fmt.Sprintf(`{"id":"o%d","amount":%d}`, n, n))}
	for name, value := range properties {
		m.Properties = append(m.Properties, rocketmq.Field{Name: name, Value: value})
	}
	sent, err := w.client.Send(w.t.Context(), w.addr, rocketmq.SendRequest{Group: "test", Queue: w.letters(), Messages: []rocketmq.OutMessage{m}})
	w.must(err)
	if !installation.Within(w.t, time.Minute, "the broker shows the letter", func() bool {
		end, err := w.client.MaxOffset(w.t.Context(), w.addr, w.letters())
		w.must(err)
		return end > sent.Offset
	}) {
		w.t.FailNow()
	}
}

// stored are all messages of a queue.
func (w *world) stored(q rocketmq.Queue) (all []rocketmq.Message) {
	w.t.Helper()
	end, err := w.client.MaxOffset(w.t.Context(), w.addr, q)
	w.must(err)
	for deadline := time.Now().Add(time.Minute); int64(len(all)) < end; {
		pulled, err := w.client.Pull(w.t.Context(), w.addr, rocketmq.PullRequest{
			Group: w.group.Spec.Group, Queue: q, Offset: int64(len(all)), MaxMessages: 32, Subscription: rocketmq.Subscription{Topic: q.Topic, Expression: "*"},
		})
		w.must(err)
		all = append(all, pulled.Messages...)
		if time.Now().After(deadline) {
			w.t.Fatalf("%v has %d messages, %d can be read", q, end, len(all))
		}
	}
	return all
}

// await waits until so many messages were given back, and returns all.
func (w *world) await(n int) []rocketmq.Message {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if all := w.stored(w.retries()); len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited a minute for %d messages to be given back: %v", n, w.ids())
		}
	}
}

// ids are the messages' that were given back.
func (w *world) ids() (ids []string) {
	w.t.Helper()
	for _, m := range w.stored(w.retries()) {
		ids = append(ids, m.Property(rocketmq.PropertyUniqueKey))
	}
	slices.Sort(ids)
	return ids
}

func (w *world) reconcile() ctrl.Result {
	w.t.Helper()
	answer, err := w.r.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.replay)})
	w.must(err)
	w.Read(w.t, w.replay)
	return answer
}

// run reconciles until the replay is done.
func (w *world) run() {
	w.t.Helper()
	for range 100 {
		if w.replay.Status.CompletionTime != nil {
			return
		}
		w.reconcile()
	}
	w.t.Fatalf("after 100 steps the replay is not done: %+v", w.replay.Status)
}

func (w *world) want(conditionType string, status metav1.ConditionStatus, reason string, texts ...string) {
	w.t.Helper()
	suite.WantCondition(w.t, w.replay.Status.Conditions, conditionType, status, reason, texts...)
}

func (w *world) wantCounts(matched, resent, skipped int64, reasons ...v1alpha1.ReplayOutcome) {
	w.t.Helper()
	s := w.replay.Status
	if s.Matched == nil || *s.Matched != matched || *s.Resent != resent || *s.Skipped != skipped || !slices.Equal(s.SkippedReasons, reasons) {
		w.t.Errorf("matched %v, resent %v, skipped %v %v; want %d, %d, %d %v", deref(s.Matched), deref(s.Resent), deref(s.Skipped), s.SkippedReasons, matched, resent, skipped, reasons)
	}
}

func deref(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// outcomes are the lines of the record.
func (w *world) outcomes() string {
	w.t.Helper()
	read, lost, err := w.r.readRecord(w.t.Context(), w.replay)
	w.must(errors.Join(lost, err))
	var b strings.Builder
	for n := range (len(read.entries) + chunk - 1) / chunk {
		b.WriteString(read.encode(n))
	}
	return b.String()
}
