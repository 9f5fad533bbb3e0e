// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	local "github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func one(reason string, count int64) v1alpha1.ReplayOutcome {
	return v1alpha1.ReplayOutcome{Reason: reason, Count: count}
}

func TestDeadLettersGoBackToTheirGroup(t *testing.T) {
	for name, nameServer := range map[string]func(t *testing.T) string{
		"fake": func(t *testing.T) string {
			return fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}}).NameServer()
		},
		"real": func(t *testing.T) string { return broker.Own(t, local.Options{}).NameServer() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nameServer(t), nil)
			born := w.Now().Add(-time.Hour).UnixMilli()
			for n := range 40 {
				w.bury(n, mq.Field{Name: "ORDERFLOW_BORN", Value: fmt.Sprint(born)})
			}
			w.bury(7) // died again after it was given back by hand
			w.reconcile()
			w.bury(99) // after the replay has begun
			w.run()

			w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "41 dead letters matched: 40 were given back, 1 skipped, 1 of them Duplicate")
			w.want(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonReady)
			w.wantCounts(41, 40, 1, one("Duplicate", 1))
			back := w.await(40)
			if len(back) != 40 {
				t.Fatalf("%d messages were given back, want 40: %v", len(back), w.ids())
			}
			m := back[slices.IndexFunc(back, func(m mq.Message) bool { return m.Property(mq.PropertyUniqueKey) == "U7" })]
			if m.Topic != "Orders" || m.Reconsumed != 1 || m.FirstBorn() != born || string(m.Body) != `{"id":"o7","amount":7}` {
				t.Errorf("it came back as a message of topic %s, attempt %d, born at %d: %s", m.Topic, m.Reconsumed+1, m.FirstBorn(), m.Body)
			}
			for name, want := range map[string]string{
				mq.PropertyUniqueKey: "U7", mq.PropertyOriginID: "0A00000100002A9F0000000000000300", mq.PropertyTags: "paid", mq.PropertyKeys: "k7",
			} {
				if got := m.Property(name); got != want {
					t.Errorf("its property %s is %q, want %q", name, got, want)
				}
			}
			for _, topic := range []string{"Orders", mq.RetryTopic("other")} {
				if n := len(w.stored(mq.Queue{Topic: topic, Broker: w.broker})); n > 0 {
					t.Errorf("%s has %d messages: other groups see what is this one's", topic, n)
				}
			}
			if lines := w.outcomes(); !strings.Contains(lines, w.broker+"/0/7\tU7\tResent\t") || !strings.Contains(lines, w.broker+"/0/40\tU7\tDuplicate\t") {
				t.Errorf("the record does not tell what became of message U7:\n%s", lines)
			}
			w.reconcile()
			if n := len(w.stored(w.retries())); n != 40 {
				t.Errorf("a replay that is done gave %d more back", n-40)
			}
		})
	}
}

func TestWhatIsSelected(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}})
	w := newWorld(t, cluster.NameServer(), func(r *v1alpha1.DeadLetterReplay) {
		r.Spec.Mode = v1alpha1.ReplayModeDryRun
		r.Spec.Filter = &v1alpha1.ReplayFilter{
			Reasons: []string{"RetriesExhausted"}, MessageIDs: []string{"U1", "U2", "U3", "U4"}, WhenExpression: "order.amount > 1 && message.properties.ORDERFLOW_ATTEMPTS == '16'",
		}
	})
	for n := range 6 {
		w.bury(n)
	}
	w.bury(3, mq.Field{Name: "ORDERFLOW_REASON", Value: "Undecodable"})
	w.bury(4, mq.Field{Name: "ORDERFLOW_ATTEMPTS", Value: "3"})
	w.run()
	w.wantCounts(3, 0, 3, one("DryRun", 3))
	if ids := w.ids(); len(ids) > 0 {
		t.Errorf("a dry run gave %v back", ids)
	}

	// The rest is a matter of functions.
	now := time.Now()
	l := letter{Message: &mq.Message{Stored: now.UnixMilli()}}
	for sentence, c := range map[string]struct {
		window v1alpha1.ReplayWindow
		want   bool
	}{
		"stored after from":      {v1alpha1.ReplayWindow{From: new(metav1.NewTime(now.Add(-time.Second)))}, true},
		"stored before from":     {v1alpha1.ReplayWindow{From: new(metav1.NewTime(now.Add(time.Second)))}, false},
		"stored before to":       {v1alpha1.ReplayWindow{To: new(metav1.NewTime(now.Add(time.Second)))}, true},
		"stored at to":           {v1alpha1.ReplayWindow{To: new(metav1.NewTime(l.stored()))}, false},
		"a window without edges": {v1alpha1.ReplayWindow{}, true},
	} {
		s, err := newSelection(&v1alpha1.DeadLetterReplaySpec{Window: &c.window})
		w.must(err)
		if got := s.selects(t.Context(), l); got != c.want {
			t.Errorf("%s: selected is %v", sentence, got)
		}
	}
}

func TestAFilterSeesTheOrderOfACloudEvent(t *testing.T) {
	s, err := newSelection(&v1alpha1.DeadLetterReplaySpec{Filter: &v1alpha1.ReplayFilter{WhenExpression: "order.amount > 4 && message.properties.ce_type == 'OrderPaid'"}})
	if err != nil {
		t.Fatal(err)
	}
	binary := mq.Fields{{Name: "CE_specversion", Value: "1.0"}, {Name: "CE_id", Value: "e"}, {Name: "CE_source", Value: "/shop"}, {Name: "CE_type", Value: "OrderPaid"}}
	for sentence, c := range map[string]struct {
		properties mq.Fields
		body       string
	}{
		"binary":     {binary, `{"amount":5}`},
		"structured": {mq.Fields{{Name: "CE_contenttype", Value: "application/cloudevents+json"}}, `{"specversion":"1.0","id":"e","source":"/shop","type":"OrderPaid","data":{"amount":5}}`},
	} {
		l := letter{Message: &mq.Message{Body: []byte(c.body)}}
		properties, err := mq.EncodeProperties(c.properties)
		if err != nil {
			t.Fatal(err)
		}
		l.SetProperties(properties)
		l.decode()
		if !s.selects(t.Context(), l) {
			t.Errorf("a %s event is not selected by what its order is", sentence)
		}
	}
}

// askable is an adapter whose third party tells what became of a request.
func askable(keys v1alpha1.KeySupport) *v1alpha1.ThirdPartyAdapter {
	return &v1alpha1.ThirdPartyAdapter{Spec: v1alpha1.ThirdPartyAdapterSpec{Idempotency: v1alpha1.IdempotencyContract{
		Keys: keys, Window: metav1.Duration{Duration: time.Hour}, StatusQuery: &v1alpha1.StatusQuery{},
	}}}
}

func TestWhatMayHaveASecondEffectIsNotGivenBack(t *testing.T) {
	adapter := func(keys v1alpha1.KeySupport, duplicates v1alpha1.DuplicatePolicy, window time.Duration) *v1alpha1.ThirdPartyAdapter {
		a := &v1alpha1.ThirdPartyAdapter{}
		a.Spec.Idempotency = v1alpha1.IdempotencyContract{Keys: keys, Duplicates: duplicates, Window: metav1.Duration{Duration: window}}
		return a
	}
	now := time.Now()
	asked := adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesRefuse, time.Hour)
	asked.Spec.Idempotency.StatusQuery = &v1alpha1.StatusQuery{}
	for sentence, c := range map[string]struct {
		adapters []*v1alpha1.ThirdPartyAdapter
		age      time.Duration
		reason   string
		want     string
	}{
		"within the window":                         {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesRefuse, time.Hour)}, time.Minute, "RetriesExhausted", ""},
		"beyond the window":                         {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesRefuse, time.Hour)}, 2 * time.Hour, "RetriesExhausted", "IdempotencyWindowPassed"},
		"the narrowest window counts":               {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesRefuse, 9*time.Hour), adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesRefuse, time.Hour)}, 2 * time.Hour, "RetriesExhausted", "IdempotencyWindowPassed"},
		"beyond it, duplicates are accepted":        {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyHonoured, v1alpha1.DuplicatesAccept, time.Hour)}, 2 * time.Hour, "RetriesExhausted", ""},
		"beyond it, the worker asks first":          {[]*v1alpha1.ThirdPartyAdapter{asked}, 2 * time.Hour, "RetriesExhausted", ""},
		"its fate is unknown, keys are ignored":     {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyIgnored, v1alpha1.DuplicatesRefuse, 0)}, time.Minute, "FateUnknown", "FateUnknown"},
		"its worker died of it, keys are ignored":   {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyIgnored, v1alpha1.DuplicatesRefuse, 0)}, time.Minute, "CrashLoop", "FateUnknown"},
		"its worker died of it, and it is asked":    {[]*v1alpha1.ThirdPartyAdapter{askable(v1alpha1.KeyIgnored)}, time.Minute, "CrashLoop", ""},
		"its fate is unknown, and asked for":        {[]*v1alpha1.ThirdPartyAdapter{askable(v1alpha1.KeyIgnored)}, time.Minute, "FateUnknown", ""},
		"beyond the window, and asked for":          {[]*v1alpha1.ThirdPartyAdapter{askable(v1alpha1.KeyHonoured)}, 2 * time.Hour, "RetriesExhausted", ""},
		"its fate is unknown, repeating is allowed": {[]*v1alpha1.ThirdPartyAdapter{adapter(v1alpha1.KeyIgnored, v1alpha1.DuplicatesAccept, 0)}, time.Minute, "FateUnknown", ""},
	} {
		l := letter{Message: &mq.Message{Born: now.Add(-c.age).UnixMilli()}}
		properties, err := mq.EncodeProperties(mq.Fields{{Name: mq.PropertyReason, Value: c.reason}})
		if err != nil {
			t.Fatal(err)
		}
		l.SetProperties(properties)
		if got := contractOf(c.adapters).judge(l, map[string]bool{}, nil, now); got != c.want {
			t.Errorf("%s: skipped for %q, want %q", sentence, got, c.want)
		}
	}
}

func TestAReplayWaitsForTheThirdParty(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}}).NameServer(), nil)
	w.bury(1)
	w.group.Status.Circuit = v1alpha1.CircuitOpen
	w.must(w.Status().Update(t.Context(), w.group))
	w.reconcile()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplayPaused, "the circuit of MQConsumerGroup push is Open")
	w.want(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonReplayPaused)
	if ids := w.ids(); len(ids) > 0 {
		t.Errorf("%v were given back while the circuit is open", ids)
	}
	w.group.Status.Circuit = v1alpha1.CircuitClosed
	w.must(w.Status().Update(t.Context(), w.group))
	w.replay.Spec.Suspend = new(true)
	w.Write(t, w.replay)
	w.reconcile()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplaySuspended)
	w.replay.Spec.Suspend = nil
	w.Write(t, w.replay)
	w.run()
	w.wantCounts(1, 1, 0)
	if events := strings.Join(w.Events(), "\n"); !strings.Contains(events, "ReplayPaused") || !strings.Contains(events, "1 dead letters matched") {
		t.Errorf("the events do not tell of the pause and the end:\n%s", events)
	}
}

func TestNothingIsGivenBackUnlessTheThirdPartiesAreKnownToWork(t *testing.T) {
	parked := []metav1.Condition{{Type: v1alpha1.ConditionParked, Status: metav1.ConditionTrue, Reason: "RateLimited"}}
	for sentence, c := range map[string]struct {
		mode       v1alpha1.ReplayMode
		circuit    v1alpha1.CircuitState
		conditions []metav1.Condition
		goesOn     bool
	}{
		"the circuit is closed":             {v1alpha1.ReplayModeReplay, v1alpha1.CircuitClosed, nil, true},
		"it is open":                        {v1alpha1.ReplayModeReplay, v1alpha1.CircuitOpen, nil, false},
		"one request probes":                {v1alpha1.ReplayModeReplay, v1alpha1.CircuitHalfOpen, nil, false},
		"no pod says":                       {v1alpha1.ReplayModeReplay, v1alpha1.CircuitUnknown, nil, false},
		"nobody has looked yet":             {v1alpha1.ReplayModeReplay, "", nil, false},
		"it is closed, and pods are parked": {v1alpha1.ReplayModeReplay, v1alpha1.CircuitClosed, parked, false},
		"nothing is given back anyway":      {v1alpha1.ReplayModeDryRun, v1alpha1.CircuitOpen, parked, true},
	} {
		seen := &inputs{replay: &v1alpha1.DeadLetterReplay{Spec: v1alpha1.DeadLetterReplaySpec{Mode: c.mode}}, group: &v1alpha1.MQConsumerGroup{}}
		seen.group.Status.Circuit, seen.group.Status.Conditions = c.circuit, c.conditions
		if got := circuitClosed(seen); got.IsDone() != c.goesOn {
			t.Errorf("%s: %+v, want that it goes on: %t", sentence, got, c.goesOn)
		}
		seen.unheard = true
		if got := circuitClosed(seen); got.IsDone() != (c.mode == v1alpha1.ReplayModeDryRun) {
			t.Errorf("%s, as an operator before this one has heard: %+v", sentence, got)
		}
	}
}

func TestAReplayThatCannotBe(t *testing.T) {
	for sentence, c := range map[string]struct {
		change       func(*v1alpha1.DeadLetterReplay)
		reason, text string
	}{
		"of no group": {func(r *v1alpha1.DeadLetterReplay) { r.Spec.GroupRef.Name = "pull" }, v1alpha1.ReasonGroupNotFound, `groupRef names MQConsumerGroup "pull"`},
		"by no expression": {func(r *v1alpha1.DeadLetterReplay) {
			r.Spec.Filter = &v1alpha1.ReplayFilter{WhenExpression: "order.amount +"}
		}, v1alpha1.ReasonInvalidExpression, "filter.whenExpression"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}}).NameServer(), c.change)
			w.reconcile()
			w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, c.reason, c.text)
		})
	}
}

func TestARunEndsAtItsLimitAndKeepsToItsRate(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}}).NameServer(), func(r *v1alpha1.DeadLetterReplay) { r.Spec.Limit, r.Spec.Rate = 7, 5 })
	for n := range 9 {
		w.bury(n)
	}
	w.reconcile()
	if answer := w.reconcile(); answer.RequeueAfter < 900*time.Millisecond || answer.RequeueAfter > 1200*time.Millisecond || *w.replay.Status.Resent != 5 {
		t.Errorf("after %d messages at 5/s it goes on in %v, want 5 messages and a second", *w.replay.Status.Resent, answer.RequeueAfter)
	}
	w.run()
	w.wantCounts(7, 7, 0)
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "it ended at spec.limit, and 2 dead letters were not looked at")
}

// TestLettersThatAreGoneAreCounted has dead letters deleted after the replay began, and before they were looked at.
func TestLettersThatAreGoneAreCounted(t *testing.T) {
	for sentence, c := range map[string]struct {
		lose   func(w *world, b *fake.Broker)
		resent int64
		gone   string
	}{
		"none is deleted": {func(*world, *fake.Broker) {}, 5, ""},
		"the oldest are":  {func(w *world, b *fake.Broker) { b.Trim(w.letters(), 2) }, 3, "2 dead letters were deleted"},
		"all are":         {func(w *world, b *fake.Broker) { b.Trim(w.letters(), 5) }, 0, "5 dead letters were deleted"},
		"the oldest are, and the queue does not say so yet": {func(w *world, b *fake.Broker) { b.Hole(w.letters(), 2) }, 3, "2 dead letters were deleted"},
		"all are, with the topic": {func(w *world, _ *fake.Broker) {
			w.must(w.client.DeleteTopic(t.Context(), w.addr, w.letters().Topic))
		}, 0, "5 dead letters were deleted"},
		"all are, with the topic, which was made anew": {func(w *world, _ *fake.Broker) { w.renewLetters() }, 0, "5 dead letters were deleted"},
		"all are, and one died since": {func(w *world, _ *fake.Broker) {
			w.renewLetters()
			w.bury(9)
		}, 1, "4 dead letters were deleted"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cluster := fake.Start(t, fake.Config{DelayLevels: soon})
			w := newWorld(t, cluster.NameServer(), nil)
			for n := range 5 {
				w.bury(n)
			}
			w.reconcile()
			c.lose(w, cluster.Broker())
			w.run()
			w.wantCounts(c.resent, c.resent, 0)
			w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, c.gone)
			if ready := condition.Describe(w.replay.Status.Conditions, v1alpha1.ConditionReady); c.gone == "" && strings.Contains(ready, "deleted") {
				t.Errorf("nothing was deleted, and it says: %s", ready)
			}
		})
	}
}

func TestARealBrokerTellsOfATopicThatWasMadeAnew(t *testing.T) {
	w := newWorld(t, broker.Own(t, local.Options{}).NameServer(), nil)
	for n := range 5 {
		w.bury(n)
	}
	w.reconcile()
	w.must(w.client.DeleteTopic(t.Context(), w.addr, w.letters().Topic))
	gone := w.replay.DeepCopy()
	w.run()
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "5 dead letters were deleted")

	w.replay.Status = gone.Status
	w.must(w.Status().Update(t.Context(), w.replay))
	w.renewLetters()
	w.bury(9)
	w.run()
	w.wantCounts(1, 1, 0)
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "4 dead letters were deleted")
}

func TestAReplayThatIsDoneHearsADemandAndDoesNothing(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: []time.Duration{10 * time.Millisecond}}).NameServer(), nil)
	w.run()
	done := w.replay.Status
	w.replay.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: "10:15"}
	w.Write(t, w.replay)
	w.reconcile()
	if s := w.replay.Status; s.LastHandledReconcileAt != "10:15" || !s.CompletionTime.Equal(done.CompletionTime) {
		t.Errorf("the status was %+v and is %+v", done, s)
	}
}
