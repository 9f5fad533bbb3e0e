// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is two brokers with the topic Orders of two queues each, and a sampler that looks at groups of it.
type world struct {
	t       *testing.T
	brokers *fake.Cluster
	client  *rocketmq.Client
	sampler *lag.Sampler
	log     strings.Builder
	cluster *v1alpha1.MQCluster
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, brokers: fake.Start(t, fake.Config{Brokers: 2})}
	w.client = rocketmq.NewClient(rocketmq.Config{})
	t.Cleanup(w.client.Close)
	connector := &topology.Connector{}
	t.Cleanup(connector.Close)
	w.sampler = lag.NewSampler(connector, slog.New(slog.NewTextHandler(&w.log, nil)))
	w.cluster = &v1alpha1.MQCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mq"},
		Spec:       v1alpha1.MQClusterSpec{NameServers: []string{w.brokers.NameServer()}},
	}
	w.topic("Orders", 2)
	return w
}

func (w *world) topic(name string, queues int) {
	for _, b := range w.brokers.Brokers() {
		w.must(w.client.PutTopic(w.t.Context(), b.Addr(), rocketmq.TopicConfig{Name: name, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
	}
}

// send stores so many messages in the first queue of the broker.
func (w *world) send(topic string, broker, count int) {
	b := w.brokers.Brokers()[broker]
	for range count {
		_, err := w.client.Send(w.t.Context(), b.Addr(), rocketmq.SendRequest{
			Group: "test", Queue: rocketmq.Queue{Topic: topic, Broker: b.Name()}, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}},
		})
		w.must(err)
	}
}

// commit sets the group's offset in the first queue of each broker.
func (w *world) commit(group, topic string, offsets ...int64) {
	for i, offset := range offsets {
		b := w.brokers.Brokers()[i]
		w.must(w.client.CommitOffset(w.t.Context(), b.Addr(), group, rocketmq.Queue{Topic: topic, Broker: b.Name()}, offset))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func name(group string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: group}
}

func (w *world) target(group string) lag.Target {
	return lag.Target{Name: name(group), Cluster: w.cluster, Group: group, Topic: "Orders", Pods: lag.Pods{Ready: 1, Hold: 20}}
}

// many are groups of a topic each.
func (w *world) many(n int) (targets []lag.Target) {
	for i := range n {
		target := w.target(fmt.Sprintf("group-%d", i))
		target.Topic = fmt.Sprintf("Orders-%d", i)
		targets = append(targets, target)
	}
	return targets
}

func (w *world) look(groups ...string) {
	var targets []lag.Target
	for _, g := range groups {
		targets = append(targets, w.target(g))
	}
	w.sampler.Look(w.t.Context(), targets)
}

func TestLagIsSummedOverBrokersQueuesAndRetries(t *testing.T) {
	w := newWorld(t)
	w.topic(rocketmq.RetryTopic("push"), 1)
	w.topic(rocketmq.DeadLetterTopic("push"), 1)
	w.send("Orders", 0, 7)
	w.send("Orders", 1, 5)
	w.send(rocketmq.RetryTopic("push"), 1, 3)
	w.send(rocketmq.DeadLetterTopic("push"), 0, 2)
	w.commit("push", "Orders", 4, 5)
	w.commit("push", rocketmq.RetryTopic("push"), 0, 1)
	b := w.brokers.Broker()
	mark := rocketmq.Queue{Topic: rocketmq.RetryTopic("push"), Broker: b.Name(), ID: 1 << 20} // as workers leave them
	w.must(w.client.CommitOffset(w.t.Context(), b.Addr(), "push", mark, 0))

	w.look("push")
	got := w.sampler.Signals(name("push"))
	if got.Lag != 3+2 || got.Retry != 2 || got.DeadLetters != 2 {
		t.Errorf("got lag %d with %d retries and %d dead letters, want 5, 2 and 2", got.Lag, got.Retry, got.DeadLetters)
	}
	if !got.Unseeded {
		t.Error("the second queue of each broker has no offset, and nobody says so")
	}
}

func TestOnePassCostsTheSameForManyGroups(t *testing.T) {
	w := newWorld(t)
	var groups []string
	for i := range 30 {
		groups = append(groups, fmt.Sprintf("group-%d", i))
		w.commit(groups[i], "Orders", 0, 0)
	}
	w.look(groups...) // the first pass reads each group's own topics too
	before := len(w.brokers.Calls(0))
	w.look(groups...)
	if calls := len(w.brokers.Calls(0)) - before; calls != 4 { // two brokers: offsets, and the one topic
		t.Errorf("a pass over 30 groups made %d calls, want 4", calls)
	}
}

func TestOneClusterOfManyTeamsIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	var targets []lag.Target
	for i := range 5 {
		target := w.target(fmt.Sprintf("group-%d", i))
		target.Cluster = w.cluster.DeepCopy()
		target.Cluster.Namespace, target.Cluster.Status.Identity = fmt.Sprintf("team-%d", i), "physical"
		targets = append(targets, target)
	}
	w.sampler.Look(t.Context(), targets)
	before := len(w.brokers.Calls(0))
	w.sampler.Look(t.Context(), targets)
	if calls := len(w.brokers.Calls(0)) - before; calls != 4 { // two brokers: offsets, and the one topic
		t.Errorf("a pass over the groups of 5 MQClusters that are one made %d calls, want 4", calls)
	}
}

// TestWhoWaitsForItsTurnIsKnown is about what was seen of a group among thousands: it holds on while its brokers answer.
func TestWhoWaitsForItsTurnIsKnown(t *testing.T) {
	w := newWorld(t)
	now := w.clock()
	targets := w.many(300)
	known := func() (n int) {
		for _, target := range targets {
			if w.sampler.Signals(target.Name).Fresh(*now) {
				n++
			}
		}
		return n
	}
	for pass := 0; known() < len(targets); pass++ {
		before := known()
		if pass == 30 {
			t.Fatalf("only %d of %d groups are known after %d passes", before, len(targets), pass)
		}
		*now = now.Add(time.Second)
		w.sampler.Look(t.Context(), targets)
		if after := known(); after < before {
			t.Errorf("of %d groups that were known %d are after the next pass", before, after)
		}
	}
	w.brokers.Inject(fake.Fault{Op: rocketmq.OpAllOffsets, Host: "broker-b", Cut: true})
	*now = now.Add(8 * time.Second)
	w.sampler.Look(t.Context(), targets)
	if n := known(); n != 0 {
		t.Errorf("%d groups are known, though a broker does not answer", n)
	}
	w.brokers.Heal()
	*now = now.Add(time.Second)
	w.sampler.Look(t.Context(), targets)
	if n := known(); n == 0 || n > 100 {
		t.Errorf("after the first pass over brokers that are back %d groups are known, though few were looked at", n)
	}
}

// TestThatBrokersFallSilentOrAnswerAgainIsToldOnce is about two MQClusters that mean the same brokers, one of which stays away for a while.
func TestThatBrokersFallSilentOrAnswerAgainIsToldOnce(t *testing.T) {
	w := newWorld(t)
	now := w.clock()
	var targets []lag.Target
	for _, team := range []string{"team-a", "team-b", "team-b"} {
		target := w.target("push")
		target.Cluster = w.cluster.DeepCopy()
		target.Cluster.Namespace, target.Cluster.Status.Identity = team, "physical"
		targets = append(targets, target)
	}
	told := func(looks int) (teams []string) {
		for range looks {
			_, turned := w.sampler.Look(t.Context(), targets)
			for _, cluster := range turned {
				teams = append(teams, cluster.Namespace)
			}
			*now = now.Add(time.Second)
		}
		return teams
	}
	away := fake.Fault{Host: "broker-b", Cut: true}
	for _, step := range []struct {
		sentence string
		fault    *fake.Fault
		looks    int
		want     []string
		logged   int
	}{
		{sentence: "brokers that answer are nothing to tell", looks: 20},
		{sentence: "one that restarts is for the log", fault: &away, looks: 9, logged: 1},
		{sentence: "and so is that it is back", looks: 5, logged: 1},
		{sentence: "one that stays away is told once", fault: &away, looks: 60, want: []string{"team-a", "team-b"}, logged: 1},
		{sentence: "and once that it answers again", looks: 60, want: []string{"team-a", "team-b"}, logged: 1},
	} {
		w.log.Reset()
		w.brokers.Heal()
		if step.fault != nil {
			w.brokers.Inject(*step.fault)
		}
		if diff := cmp.Diff(step.want, told(step.looks)); diff != "" {
			t.Errorf("%s: %s", step.sentence, diff)
		}
		if lines := strings.Count(w.log.String(), "\n"); lines != step.logged {
			t.Errorf("%s: %d lines in the log, want %d:\n%s", step.sentence, lines, step.logged, &w.log)
		}
	}
}

// TestAPassThatFailedIsFollowedByOneThatAsksLess is what lets brokers that cannot answer for all that is new within a pass answer for some.
func TestAPassThatFailedIsFollowedByOneThatAsksLess(t *testing.T) {
	w := newWorld(t)
	targets := w.many(300)
	asked := func() int {
		before := len(w.brokers.Calls(rocketmq.OpTopicStats))
		w.sampler.Look(t.Context(), targets)
		return len(w.brokers.Calls(rocketmq.OpTopicStats)) - before
	}
	all := asked()
	w.brokers.Inject(fake.Fault{Op: rocketmq.OpAllOffsets, Host: "broker-b", Cut: true})
	for range 3 {
		w.sampler.Look(t.Context(), targets)
	}
	w.brokers.Heal()
	if less := asked(); less == 0 || less > all*3/4 {
		t.Errorf("%d topics were asked for, and %d after passes that failed", all, less)
	}
}

func TestABrokerThatDoesNotAnswerLeavesTheLagAsItWas(t *testing.T) {
	w := newWorld(t)
	w.send("Orders", 0, 7)
	w.commit("push", "Orders", 0, 0)
	w.look("push")
	before := w.sampler.Signals(name("push"))

	w.brokers.Inject(fake.Fault{Op: rocketmq.OpAllOffsets, Host: "broker-b", Cut: true})
	w.send("Orders", 0, 7)
	w.look("push")
	if got := w.sampler.Signals(name("push")); got != before {
		t.Errorf("half a reading was taken for a whole: %+v", got)
	}

	w.brokers.Heal()
	w.look("push")
	if got := w.sampler.Signals(name("push")); got.Lag != 14 || !got.Time.After(before.Time) {
		t.Errorf("the broker is back, and the lag is %d at %s, want 14", got.Lag, got.Time)
	}
}

func TestAnUnreachableClusterDoesNotHideAnother(t *testing.T) {
	w := newWorld(t)
	w.commit("push", "Orders", 0, 0)
	gone := w.target("credit")
	gone.Cluster = &v1alpha1.MQCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gone"},
		Spec:       v1alpha1.MQClusterSpec{NameServers: []string{"127.0.0.1:1"}},
	}
	w.sampler.Look(t.Context(), []lag.Target{w.target("push"), gone})
	if w.sampler.Signals(name("push")).Time.IsZero() {
		t.Error("the group of the reachable cluster was not looked at")
	}
	if got := w.sampler.Signals(name("credit")); !got.Time.IsZero() {
		t.Errorf("something is known of a group whose cluster cannot be reached: %+v", got)
	}
}

func TestAGroupThatIsGoneIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.commit("push", "Orders", 0, 0)
	w.look("push")
	w.look()
	if got := w.sampler.Signals(name("push")); !got.Time.IsZero() {
		t.Errorf("it is still remembered: %+v", got)
	}
}

func TestWhereNoBrokerHasTheTopicNothingWaits(t *testing.T) {
	w := newWorld(t)
	target := w.target("push")
	target.Topic = "Gone"
	w.sampler.Look(t.Context(), []lag.Target{target})
	if got := w.sampler.Signals(name("push")); got.Time.IsZero() || got.Lag != 0 {
		t.Errorf("all brokers said that it is not there, and what is known is %+v", got)
	}
}

// clock replaces the clock of the sampler by one that stands still unless the test moves it.
func (w *world) clock() *time.Time {
	now := time.Now()
	w.sampler.Now = func() time.Time { return now }
	return &now
}

func TestABrokerIsAskedOnceWhenTheFirstMessageOfABacklogWasStored(t *testing.T) {
	for sentence, topic := range map[string]string{"of the topic": "Orders", "of its retries": rocketmq.RetryTopic("push")} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.topic(rocketmq.RetryTopic("push"), 1)
			now := w.clock()
			w.send(topic, 0, 3)
			w.commit("push", topic, 0, 0)
			for range 120 {
				w.look("push")
				*now = now.Add(time.Second)
			}
			if calls := len(w.brokers.Calls(rocketmq.OpPull)); calls != 1 {
				t.Errorf("%d messages were read in two minutes, want one", calls)
			}
			heads := w.sampler.Heads(name("push"))
			if len(heads) != 1 || heads[0].Queue.Topic != topic || heads[0].Offset != 0 || time.Since(heads[0].Stored).Abs() > time.Minute {
				t.Errorf("got %+v, want the first message, stored a moment ago", heads)
			}
		})
	}
}

func TestQuestionsAboutManyBacklogsAreSpreadOverTime(t *testing.T) {
	w := newWorld(t)
	now := w.clock()
	w.send("Orders", 0, 3)
	var groups []string
	for i := range 30 {
		groups = append(groups, fmt.Sprintf("group-%d", i))
		w.commit(groups[i], "Orders", 0, 0)
	}
	w.look(groups...)
	*now = now.Add(time.Minute)
	for range 15 {
		before := len(w.brokers.Calls(rocketmq.OpPull))
		w.look(groups...)
		*now = now.Add(time.Second)
		if calls := len(w.brokers.Calls(rocketmq.OpPull)) - before; calls > 2 {
			t.Fatalf("one pass read %d messages", calls)
		}
	}
	for _, g := range groups {
		if heads := w.sampler.Heads(name(g)); len(heads) != 1 || heads[0].Stored.IsZero() {
			t.Errorf("of group %s is known %+v", g, heads)
		}
	}
}

func TestTheFirstDeadLetterThatWasNotReplayed(t *testing.T) {
	w := newWorld(t)
	letters := rocketmq.Queue{Topic: rocketmq.DeadLetterTopic("push"), Broker: "broker-a"}
	w.topic(letters.Topic, 1)
	w.send(letters.Topic, 0, 3)
	w.commit("push", "Orders", 0, 0)
	target := w.target("push")
	for replayed, want := range map[int64]int64{0: 0, 2: 2, 3: -1} {
		target.Replayed = map[rocketmq.Queue]int64{letters: replayed}
		w.sampler.Look(t.Context(), nil) // forgets the group
		w.sampler.Look(t.Context(), []lag.Target{target})
		got := int64(-1)
		for _, h := range w.sampler.Heads(target.Name) {
			if h.Queue == letters {
				got = h.Offset
			}
		}
		if got != want {
			t.Errorf("after a replay up to %d the first letter is %d, want %d", replayed, got, want)
		}
	}
}
