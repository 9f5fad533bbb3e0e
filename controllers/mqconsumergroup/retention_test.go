// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// stored is the first message of a queue, so many hours before noon.
func stored(q rocketmq.Queue, hours float64) lag.Head {
	return lag.Head{Queue: q, Stored: noon.Add(-time.Duration(hours * float64(time.Hour)))}
}

func TestWhatIsAboutToBeDeleted(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	broker := func(change func(*v1alpha1.BrokerStatus)) func(*inputs) {
		return func(seen *inputs) { change(&seen.cluster.Status.Brokers[0]) }
	}
	keeps := func(hours int) func(*inputs) {
		return broker(func(b *v1alpha1.BrokerStatus) {
			b.Retention = &metav1.Duration{Duration: time.Duration(hours) * time.Hour}
		})
	}
	full := broker(func(b *v1alpha1.BrokerStatus) { b.Disk = v1alpha1.DiskFull })
	for sentence, test := range map[string]struct {
		heads  []lag.Head
		change func(*inputs)
		status metav1.ConditionStatus
		reason string
		says   []string
	}{
		"nothing waits":                                     {nil, nil, no, v1alpha1.ReasonRetentionSuffices, nil},
		"more than a quarter of it is left":                 {[]lag.Head{stored(third, 53.9)}, nil, no, v1alpha1.ReasonRetentionSuffices, nil},
		"a quarter of the retention is left":                {[]lag.Head{stored(third, 54)}, nil, yes, v1alpha1.ReasonMessagesExpiring, []string{"messages wait in queue Orders@broker-a#3 since 2026-10-30T06:00:00Z; broker broker-a keeps them for 72h and may delete the first from 2026-11-02T06:00:00Z on, at hour 04 of its day", "have fileReservedTime raised"}},
		"of a short one six hours are left":                 {[]lag.Head{stored(third, 10)}, keeps(16), yes, v1alpha1.ReasonMessagesExpiring, []string{"keeps them for 16h"}},
		"of a short one seven hours are left":               {[]lag.Head{stored(third, 9)}, keeps(16), no, v1alpha1.ReasonRetentionSuffices, nil},
		"of a very short one half is left":                  {[]lag.Head{stored(third, 3)}, keeps(6), yes, v1alpha1.ReasonMessagesExpiring, nil},
		"of a very short one two thirds are":                {[]lag.Head{stored(third, 2)}, keeps(6), no, v1alpha1.ReasonRetentionSuffices, nil},
		"retries are old":                                   {[]lag.Head{stored(retries, 60)}, nil, yes, v1alpha1.ReasonMessagesExpiring, []string{"messages to be tried again wait in queue %RETRY%push_consumer_group@broker-a#0"}},
		"dead letters are old":                              {[]lag.Head{stored(letters, 60)}, nil, yes, v1alpha1.ReasonDeadLettersExpiring, []string{"dead letters lie in queue %DLQ%push_consumer_group@broker-a#0", "DeadLetterReplay for group push"}},
		"messages come before older letters":                {[]lag.Head{stored(letters, 70), stored(third, 60)}, nil, yes, v1alpha1.ReasonMessagesExpiring, []string{"queue Orders@broker-a#3", "the same is true of 1 more queues"}},
		"the oldest comes first":                            {[]lag.Head{stored(third, 60), stored(retries, 70)}, nil, yes, v1alpha1.ReasonMessagesExpiring, []string{"queue %RETRY%"}},
		"a full disk leaves nothing for long":               {[]lag.Head{stored(third, 0.5)}, full, yes, v1alpha1.ReasonDiskFull, []string{"disk of broker broker-a is so full"}},
		"what has just come is not yet at risk":             {[]lag.Head{stored(third, 0.1)}, full, no, v1alpha1.ReasonRetentionSuffices, nil},
		"when the first was stored is not known":            {[]lag.Head{{Queue: third}}, nil, unknown, v1alpha1.ReasonNotRead, []string{"not known yet"}},
		"for how long a broker keeps messages is not known": {[]lag.Head{stored(third, 1)}, broker(func(b *v1alpha1.BrokerStatus) { b.Retention = nil }), unknown, v1alpha1.ReasonNotRead, nil},
		"one is at risk, and of another nothing is known":   {[]lag.Head{{Queue: retries}, stored(third, 60)}, nil, yes, v1alpha1.ReasonMessagesExpiring, nil},
		"messages of a suspended group are deleted as all": {[]lag.Head{stored(third, 60)}, func(seen *inputs) {
			seen.group.Spec.Suspend = new(true)
			seen.suspended = suspensionOf(seen.group, nil)
		}, yes, v1alpha1.ReasonMessagesExpiring, nil},
		"the brokers do not answer":          {[]lag.Head{stored(third, 1)}, func(seen *inputs) { seen.signals = lag.Signals{} }, unknown, v1alpha1.ReasonNotRead, []string{"BrokerReady says more"}},
		"every pod has positions of its own": {nil, func(seen *inputs) { seen.group.Spec.Consume.Model = v1alpha1.ConsumeBroadcasting }, no, v1alpha1.ReasonRetentionSuffices, []string{"Broadcasting"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.heads = test.heads
			if test.change != nil {
				test.change(seen)
			}
			suite.WantCondition(t, []metav1.Condition{retentionAtRisk(seen, noon)}, v1alpha1.ConditionRetentionAtRisk, test.status, test.reason, test.says...)
			setStatus(seen.group, seen, steps{}, noon)
			if retentionMoved(seen, noon) || lagMoved(seen, noon) {
				t.Error("all is written down, and the pulse wakes the group")
			}
		})
	}
}

func TestTheOldestMessageIsToldAnewWhenItHasMoved(t *testing.T) {
	ago := func(minutes float64) *metav1.Time {
		return new(metav1.NewTime(noon.Add(-time.Duration(minutes * float64(time.Minute)))))
	}
	for sentence, test := range map[string]struct {
		heads []lag.Head
		was   *metav1.Time
		want  *metav1.Time
	}{
		"nothing waits":                       {nil, ago(10), nil},
		"none has waited for a minute":        {[]lag.Head{stored(third, 0.01)}, ago(10), nil},
		"one has":                             {[]lag.Head{stored(third, 1), stored(retries, 0.5)}, nil, ago(60)},
		"dead letters do not wait":            {[]lag.Head{stored(letters, 1)}, nil, nil},
		"it is the same":                      {[]lag.Head{stored(third, 1)}, ago(60), ago(60)},
		"it moved by less than a tenth":       {[]lag.Head{stored(third, 1)}, ago(65), ago(65)},
		"it moved by more than a tenth":       {[]lag.Head{stored(third, 1)}, ago(67), ago(60)},
		"it moved by less than a minute":      {[]lag.Head{stored(third, 0.05)}, ago(3.9), ago(3.9)},
		"an older one may be there":           {[]lag.Head{stored(third, 1), {Queue: retries}}, ago(600), ago(600)},
		"of none is known when it was stored": {[]lag.Head{{Queue: third}}, nil, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.heads, seen.group.Status.OldestMessageTime = test.heads, test.was
			if got := oldestMessage(seen, noon); !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	seen := ready()
	seen.heads, seen.group.Status.OldestMessageTime = []lag.Head{stored(third, 1)}, ago(60)
	if got := oldestMessage(seen, noon.Add(time.Minute)); got != nil {
		t.Errorf("the brokers do not answer, and the oldest is told to be of %v", got)
	}
}

func TestWhichDeadLettersReplaysHaveGoneThrough(t *testing.T) {
	done := func(change func(*v1alpha1.DeadLetterReplay)) v1alpha1.DeadLetterReplay {
		r := v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
		r.Spec.GroupRef.Name = "push"
		r.Status.CompletionTime = new(metav1.NewTime(noon))
		r.Status.Queues = []v1alpha1.ReplayQueue{{Broker: "broker-a", Queue: new(int32(0)), End: new(int64(7))}}
		change(&r)
		return r
	}
	for sentence, test := range map[string]struct {
		change func(*v1alpha1.DeadLetterReplay)
		want   int64
	}{
		"it took all":             {func(*v1alpha1.DeadLetterReplay) {}, 7},
		"it is not done":          {func(r *v1alpha1.DeadLetterReplay) { r.Status.CompletionTime = nil }, 0},
		"it was a trial":          {func(r *v1alpha1.DeadLetterReplay) { r.Spec.Mode = v1alpha1.ReplayModeDryRun }, 0},
		"it took some":            {func(r *v1alpha1.DeadLetterReplay) { r.Spec.Filter = &v1alpha1.ReplayFilter{} }, 0},
		"it took those of a time": {func(r *v1alpha1.DeadLetterReplay) { r.Spec.Window = &v1alpha1.ReplayWindow{} }, 0},
		"it is of another group":  {func(r *v1alpha1.DeadLetterReplay) { r.Spec.GroupRef.Name = "credit" }, 0},
		"it is of a namesake":     {func(r *v1alpha1.DeadLetterReplay) { r.Namespace = "other" }, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			replay, older := done(test.change), done(func(r *v1alpha1.DeadLetterReplay) {
				r.Name, *r.Status.Queues[0].End = "older", min(3, test.want)
			})
			o := newObjects()
			o.put(&replay)
			o.put(&older)
			if got := replayed(push(), o.replaysByGroup()[client.ObjectKeyFromObject(push())])[letters]; got != test.want {
				t.Errorf("it has gone through all before %d, want %d", got, test.want)
			}
		})
	}
}

func TestABacklogNearTheEndOfItsRetentionIsToldOf(t *testing.T) {
	w := newWorld(t, nil)
	w.consuming()
	w.send(1, 1)
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
	if oldest := w.group.Status.OldestMessageTime; oldest != nil {
		t.Errorf("a message of this moment is told to be old: %s", oldest)
	}

	w.later += 55 * time.Hour
	if !w.beat() {
		t.Fatal("a message is at risk, and nobody is woken")
	}
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionTrue, v1alpha1.ReasonMessagesExpiring, "queue Orders@broker-a#1", "keeps them for 72h")
	if oldest := w.group.Status.OldestMessageTime; oldest == nil || time.Since(oldest.Time) > time.Minute {
		t.Errorf("the oldest message is told to be of %v", oldest)
	}
	if !strings.Contains(strings.Join(w.Events(), "\n"), "Warning MessagesExpiring") {
		t.Error("no event tells of it")
	}
	w.later += longBeat
	if w.beat() {
		t.Error("nothing happened, and the group is woken")
	}

	w.commit(1, 1)
	w.later += longBeat
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
}

func TestDeadLettersAreAtRiskUntilAReplayHasGoneThroughThem(t *testing.T) {
	w := newWorld(t, nil)
	w.consuming()
	b := w.mq.Broker()
	queue := rocketmq.Queue{Topic: rocketmq.DeadLetterTopic(w.group.Spec.Group), Broker: b.Name()}
	for range 3 {
		_, err := w.client.Send(t.Context(), b.Addr(), rocketmq.SendRequest{Group: "test", Queue: queue, Messages: []rocketmq.OutMessage{{Body: []byte("{}")}}})
		w.must(err)
	}
	w.beats(time.Minute) // in which the broker is asked when the first was stored
	w.later += 55 * time.Hour
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionTrue, v1alpha1.ReasonDeadLettersExpiring, "dead letters lie in queue "+queue.String())

	replay := &v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "all"}}
	replay.Spec.GroupRef.Name = w.group.Name
	replay.Status = v1alpha1.DeadLetterReplayStatus{
		CompletionTime: new(metav1.NewTime(w.Now())),
		Queues:         []v1alpha1.ReplayQueue{{Broker: b.Name(), Queue: new(int32(0)), Next: new(int64(3)), End: new(int64(3))}},
	}
	w.Create(t, replay)
	w.later += time.Minute
	w.beat()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.want(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionFalse, v1alpha1.ReasonRetentionSuffices)
}

func TestLagsThatMoveEverywhereAtOnceAreToldOfOneAfterTheOther(t *testing.T) {
	w := newWorld(t, nil)
	w.consuming()
	w.settle()
	o := newObjects()
	o.put(w.cluster)
	w.pulse.objects = o
	var targets []lag.Target
	for i := range 3 * lagsAtPulse {
		g := w.group.DeepCopy()
		g.Name += strings.Repeat("x", i+1)
		g.Status.Lag = new(int64(77)) // which is not what is so
		o.put(g)
		targets = append(targets, lag.Target{Name: client.ObjectKeyFromObject(g), Cluster: w.cluster, Group: g.Spec.Group, Topic: "Orders"})
	}
	w.pulse.Sampler.Look(t.Context(), targets)
	if woken := w.pulse.choose(nil); len(woken) != 0 {
		t.Errorf("%d groups are woken as soon as they are seen: what they have to tell first is told together", len(woken))
	}
	w.later += tellPeriod
	told := map[string]bool{}
	for range 3 {
		woken := w.pulse.choose(nil)
		if len(woken) != lagsAtPulse {
			t.Fatalf("%d groups are woken at once, want %d", len(woken), lagsAtPulse)
		}
		for _, g := range woken {
			told[g.Name] = true
		}
	}
	if len(told) != len(o.groups) {
		t.Errorf("in three pulses %d of %d were woken", len(told), len(o.groups))
	}
	if woken := w.pulse.choose(nil); len(woken) != 0 {
		t.Errorf("%d groups are woken again within %s", len(woken), tellPeriod)
	}
}
