// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// soon are delay levels of a broker that gives messages back at once.
var soon = []time.Duration{10 * time.Millisecond}

// noted has the manager die after it noted, now, that it was about to send the messages of these numbers, whose letters are the first of the queue. Time stands
// still from then on, but for w.later.
func (w *world) noted(unseen []span, numbers ...int) {
	w.t.Helper()
	now := w.Now()
	w.r.Now = func() time.Time { return now.Add(w.later) }
	w.reconcile()
	rec := newRecord()
	var places []int
	for offset, n := range numbers {
		places = append(places, len(rec.entries))
		rec.add(entry{letter: place(w.letters(), int64(offset)), id: fmt.Sprint("U", n), outcome: outcomeResending, unseen: unseen, noted: now.UnixMilli()})
	}
	w.must(w.r.writeRecord(w.t.Context(), w.replay, rec, places))
}

// sendBack is what the manager did before it died.
func (w *world) sendBack(letters ...mq.Message) {
	w.t.Helper()
	for i := range letters {
		w.must(w.client.SendBack(w.t.Context(), w.addr, mq.SendBackRequest{Group: w.group.Spec.Group, Message: &letters[i], DelayLevel: 1, MaxReconsume: 9}))
	}
}

// TestAManagerThatDiesInABatch loses the manager after it noted what it was about to send: what it had sent of that is not sent again, the rest is.
func TestAManagerThatDiesInABatch(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), nil)
	for n := range 4 {
		w.bury(n)
	}
	w.noted([]span{{to: open}}, 0, 1, 2)
	w.sendBack(w.stored(w.letters())[:2]...)
	if answer := w.reconcile(); answer.RequeueAfter == 0 || *w.replay.Status.Matched != 3 || *w.replay.Status.Resent != 0 {
		t.Errorf("what cannot be seen yet counts as %+v", w.replay.Status)
	}
	w.await(2)
	w.later = sendTime + slack - time.Second
	w.reconcile()
	if lines := w.outcomes(); strings.Contains(lines, "Resent") {
		t.Errorf("was looked for while it may still have been on its way:\n%s", lines)
	}
	w.later = time.Minute
	w.run()
	w.wantCounts(4, 4, 0)
	w.await(4)
	if ids := w.ids(); !slices.Equal(ids, []string{"U0", "U1", "U2", "U3"}) {
		t.Errorf("given back were %v", ids)
	}
}

// TestWhatABrokerShowsLaterIsLookedForLater has a broker whose first delay level is a minute: all of the batch is on its way, and is not sent again.
func TestWhatABrokerShowsLaterIsLookedForLater(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: []time.Duration{time.Minute}})
	w := newWorld(t, cluster.NameServer(), nil)
	w.bury(1)
	w.noted([]span{{to: open}}, 1)
	w.sendBack(w.stored(w.letters())...)
	sent := func(after time.Duration, want int) {
		t.Helper()
		w.later = after
		w.reconcile()
		if n := len(cluster.Calls(mq.OpSendBack)); n != want {
			t.Errorf("after %s the letter was given back %d times, want %d", after, n, want)
		}
	}
	sent(40*time.Second, 1)
	w.levels("")
	sent(time.Hour, 1)
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplaying, "messageDelayLevel of broker "+w.broker)
	w.levels("1m")
	sent(time.Hour, 2) // though it did not come: it was lost
}

// writer refuses the writes of ConfigMaps that it is told to, by their number from now on.
type writer struct {
	client.Client
	refuse int
}

func (w *writer) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if patch.Type() == types.ApplyPatchType {
		w.refuse--
		if w.refuse == 0 {
			return errors.New("the API server is away")
		}
	}
	return w.Client.Patch(ctx, object, patch, opts...)
}

// TestWhatIsSentAgainIsNotedFirst loses the write that tells that a letter was sent again. The broker has the message, and shows it in an hour.
func TestWhatIsSentAgainIsNotedFirst(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: []time.Duration{time.Hour}})
	w := newWorld(t, cluster.NameServer(), nil)
	w.bury(1)
	w.noted([]span{{to: open}}, 1)
	w.later = 2 * time.Hour
	api := &writer{Client: w.Client, refuse: 2}
	w.r.Applier = apply.New(api, w.Client)
	_, err := w.r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.replay)})
	if err == nil || !strings.Contains(err.Error(), "the API server is away") {
		t.Fatalf("the write that was refused made %v", err)
	}
	w.Read(t, w.replay)
	w.want(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonApplyFailed)
	w.reconcile()
	if n := len(cluster.Calls(mq.OpSendBack)); n != 1 {
		t.Errorf("the letter was given back %d times, want once: it may be on its way", n)
	}
}

// freezer freezes a manager before a write, by its number, and has another one go on meanwhile.
type freezer struct {
	client.Client
	before    int
	meanwhile func()
}

func (f *freezer) freeze() {
	if f.before--; f.before == 0 {
		f.meanwhile()
	}
}

func (f *freezer) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	f.freeze()
	return f.Client.Create(ctx, object, opts...)
}

func (f *freezer) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if patch.Type() == types.ApplyPatchType {
		f.freeze()
	}
	return f.Client.Patch(ctx, object, patch, opts...)
}

// TestAManagerThatWasFrozenUndoesNothing has another manager end the replay while the first is frozen in a batch.
func TestAManagerThatWasFrozenUndoesNothing(t *testing.T) {
	for sentence, c := range map[string]struct{ batches, before int }{
		"before it noted its first batch":   {0, 1},
		"when it had sent its first batch":  {0, 2},
		"before it noted its second batch":  {1, 1},
		"when it had sent its second batch": {1, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			cluster := fake.Start(t, fake.Config{DelayLevels: soon})
			w := newWorld(t, cluster.NameServer(), func(r *v1alpha1.DeadLetterReplay) { r.Spec.Rate = 1 })
			for n := range 4 {
				w.bury(n)
			}
			for range 1 + c.batches {
				w.reconcile()
			}
			frozen := *w.r
			var lines string
			frozen.Applier = apply.New(&freezer{Client: w.Client, before: c.before, meanwhile: func() {
				w.awaitAll(int64(len(cluster.Calls(mq.OpSendBack))))
				w.later = time.Minute
				w.run()
				lines = w.outcomes()
			}}, w.Client)
			if _, err := frozen.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.replay)}); err != nil {
				t.Errorf("that the other one went on is an error: %v", err)
			}
			if got := w.outcomes(); got != lines {
				t.Errorf("the record was\n%sand is\n%s", lines, got)
			}
			if n := len(cluster.Calls(mq.OpSendBack)); n != 4 {
				t.Errorf("4 letters were given back %d times", n)
			}
			w.Read(t, w.replay)
			w.wantCounts(4, 4, 0)
		})
	}
}

func TestWhatWasGivenBackIsFoundInAnyQueue(t *testing.T) {
	const letters = 8
	cluster := fake.Start(t, fake.Config{DelayLevels: soon})
	w := newWorld(t, cluster.NameServer(), nil)
	group := mq.NewGroupConfig(w.group.Spec.Group)
	group.RetryQueues = 4
	w.must(w.client.PutGroup(t.Context(), w.addr, group))
	w.must(w.client.PutTopic(t.Context(), w.addr, mq.TopicConfig{Name: w.retries().Topic, ReadQueues: 4, WriteQueues: 4, Perm: mq.PermRead | mq.PermWrite}))
	var numbers []int
	for n := range letters {
		w.bury(n)
		numbers = append(numbers, n)
	}
	w.noted([]span{{to: open}, {to: open}}, numbers...) // two of the queues were made since
	w.sendBack(w.stored(w.letters())...)
	w.awaitAll(letters)
	w.later = time.Minute
	w.run()
	w.wantCounts(letters, letters, 0)
	if n := len(cluster.Calls(mq.OpSendBack)); n != letters {
		t.Errorf("%d letters were given back %d times", letters, n)
	}
}

// awaitAll waits until the queues of the retry topic have so many messages.
func (w *world) awaitAll(want int64) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		stats, err := w.client.TopicStats(w.t.Context(), w.addr, w.retries().Topic)
		w.must(err)
		var n int64
		for _, q := range stats.Queues {
			n += q.Max
		}
		switch {
		case n >= want:
			return
		case time.Now().After(deadline):
			w.t.Fatalf("waited a minute for %d messages, there are %d", want, n)
		}
	}
}

// TestASearchGoesOnWhereItStood has more messages in the retry topic than one reconcile reads, and more that come while it reads.
func TestASearchGoesOnWhereItStood(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: soon, MaxPull: 1})
	w := newWorld(t, cluster.NameServer(), nil)
	w.must(w.client.Unlock(t.Context(), w.addr, w.group.Spec.Group, "pod", []mq.Queue{{Topic: "Orders", Broker: w.broker}}))
	retry := func(n int) {
		messages := make([]mq.OutMessage, n)
		for i := range messages {
			messages[i] = mq.OutMessage{Body: []byte("{}")}
		}
		_, err := w.client.Send(t.Context(), w.addr, mq.SendRequest{Group: "test", Queue: w.retries(), Messages: messages})
		w.must(err)
	}
	w.bury(1)
	w.noted([]span{{to: open}}, 1)
	retry(maxSearch)
	w.sendBack(w.stored(w.letters())...)
	w.awaitAll(maxSearch + 1)
	w.later = time.Minute
	w.reconcile()
	if lines := w.outcomes(); !strings.Contains(lines, fmt.Sprintf("Resending\t%d-%d\t", maxSearch, maxSearch+1)) {
		t.Fatalf("where the search stands, and where it ends, is not written down:\n%s", lines)
	}
	retry(1)
	w.run()
	w.wantCounts(1, 1, 0)
	if n := len(cluster.Calls(mq.OpSendBack)); n != 1 {
		t.Errorf("the letter was given back %d times", n)
	}
}

func TestASendThatIsNotAnsweredIsLookedUp(t *testing.T) {
	for name, late := range map[string]bool{"it never arrived": false, "its answer was lost": true} {
		t.Run(name, func(t *testing.T) {
			cluster := fake.Start(t, fake.Config{DelayLevels: soon})
			w := newWorld(t, cluster.NameServer(), nil)
			w.bury(1)
			w.reconcile()
			cluster.Inject(fake.Fault{Op: mq.OpSendBack, Cut: true, Late: late, Times: 1})
			w.reconcile()
			if s := w.replay.Status; s.CompletionTime != nil || *s.Matched != 1 || *s.Resent+*s.Skipped != 0 {
				t.Errorf("a send that was not answered counts as %+v", s)
			}
			if late {
				w.await(1)
			}
			w.later = time.Minute
			w.run()
			w.wantCounts(1, 1, 0)
			w.await(1)
			if ids := w.ids(); !slices.Equal(ids, []string{"U1"}) {
				t.Errorf("given back were %v", ids)
			}
		})
	}
}

func TestASendThatIsStoredLessSafelyIsNotRepeated(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: soon})
	w := newWorld(t, cluster.NameServer(), nil)
	w.bury(1)
	cluster.Inject(fake.Fault{Op: mq.OpSendBack, Late: true, Code: mq.CodeSystemError, Remark: mq.CodeFlushReplicaTimeout.String()})
	w.run()
	w.wantCounts(1, 1, 0)
	w.await(1)
}

// TestARefusalIsNotSilence has a broker say no: the replay says so, and goes on where it was when the broker lets it.
func TestARefusalIsNotSilence(t *testing.T) {
	for name, c := range map[string]struct {
		code          mq.Code
		conditionType string
		status        metav1.ConditionStatus
		reason        string
	}{
		"it may not":   {mq.CodeNoPermission, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPermissionDenied},
		"it is broken": {mq.CodeSystemError, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonBrokerRefused},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fake.Start(t, fake.Config{DelayLevels: soon})
			w := newWorld(t, cluster.NameServer(), nil)
			w.bury(1)
			w.bury(2)
			w.reconcile()
			cluster.Inject(fake.Fault{Op: mq.OpSendBack, Code: c.code, Remark: "denied"})
			if again := w.reconcile(); again.RequeueAfter <= sendTime+slack {
				t.Errorf("is looked at again in %s, when nothing can be seen", again.RequeueAfter)
			}
			w.want(c.conditionType, c.status, c.reason, "giving dead letters back at broker "+w.broker, "denied")
			if lines := w.outcomes(); strings.Count(lines, "Resending") != 2 {
				t.Errorf("what was refused is kept as:\n%s", lines)
			}
			cluster.Heal()
			w.later = time.Minute
			w.run()
			w.wantCounts(2, 2, 0)
		})
	}
}

// TestWhatIsSentAgainIsJudgedAgain pauses a replay, with a batch noted, until third parties remember its keys no more.
func TestWhatIsSentAgainIsJudgedAgain(t *testing.T) {
	cluster := fake.Start(t, fake.Config{DelayLevels: soon})
	w := newWorld(t, cluster.NameServer(), nil)
	w.adapter.Spec.Idempotency.Window = metav1.Duration{Duration: 24 * time.Hour}
	w.Write(t, w.adapter)
	w.bury(1)
	w.noted([]span{{to: open}}, 1)
	w.later = 25 * time.Hour
	w.run()
	w.wantCounts(1, 0, 1, one("IdempotencyWindowPassed", 1))
	if n := len(cluster.Calls(mq.OpSendBack)); n != 0 {
		t.Errorf("the letter was given back %d times", n)
	}
}

// TestWhatWasNotedAndIsGone has the topic of dead letters made anew after a batch was noted, none of which was sent.
func TestWhatWasNotedAndIsGone(t *testing.T) {
	for sentence, died := range map[string]int{"none has died since": 0, "another lies where it lay": 1} {
		t.Run(sentence, func(t *testing.T) {
			cluster := fake.Start(t, fake.Config{DelayLevels: soon})
			w := newWorld(t, cluster.NameServer(), nil)
			w.bury(1)
			w.noted([]span{{to: open}}, 1)
			w.renewLetters()
			for range died {
				w.bury(2)
			}
			w.later = time.Minute
			w.run()
			w.wantCounts(1, 0, 1, one("Unreadable", 1))
			if n := len(cluster.Calls(mq.OpSendBack)); n != 0 {
				t.Errorf("%d letters were given back", n)
			}
		})
	}
}

func TestABrokerThatIsAwayWithWhatIsPending(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), nil)
	w.broker = "gone"
	w.noted([]span{{to: open}}, 1)
	w.later = time.Minute
	w.reconcile()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable, "broker gone is away")
}

func TestALostRecordStopsAReplay(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), func(r *v1alpha1.DeadLetterReplay) { r.Spec.Rate = 2 })
	for n := range 5 {
		w.bury(n)
	}
	w.reconcile()
	w.reconcile()
	w.wantCounts(2, 2, 0)
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: recordName(w.replay, 0)}}
	w.Read(t, kept)
	w.must(w.Delete(t.Context(), kept.DeepCopy()))
	for sentence, lines := range map[string]string{
		"ConfigMap again-outcomes-0 is gone":                            "",
		"ConfigMap again-outcomes-0 was changed: lines are missing":     strings.SplitAfter(kept.Data[outcomesKey], "\n")[0],
		"ConfigMap again-outcomes-0 was changed: the line \"nonsense\"": "nonsense",
	} {
		if lines != "" {
			changed := kept.DeepCopy()
			changed.ResourceVersion, changed.Data[outcomesKey] = "", lines
			w.must(w.Client.Create(t.Context(), changed))
		}
		w.reconcile()
		w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRecordLost, sentence, "put the ConfigMap back", "or delete this one, and create another")
		w.wantCounts(2, 2, 0)
		w.must(client.IgnoreNotFound(w.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: kept.Name}})))
	}
	if n := len(w.await(2)); n != 2 {
		t.Errorf("%d were given back without a record", n-2)
	}
	kept.ResourceVersion = ""
	w.must(w.Client.Create(t.Context(), kept))
	w.run()
	w.wantCounts(5, 5, 0)
}

func TestIdsOfAnyKindAreRecorded(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), nil)
	long := strings.Repeat("L", 3000)
	for n, id := range []string{"a b", "a_b", long + "1", long + "2", "a\u00a0b", long + "1"} {
		w.bury(n, mq.Field{Name: mq.PropertyUniqueKey, Value: id})
	}
	w.run()
	w.wantCounts(6, 5, 1, one("Duplicate", 1))
	if recorded("a\xffb") == recorded("a\xfeb") {
		t.Error("ids that are no text are recorded as one")
	}
	full := newRecord()
	for n := range chunk {
		full.add(entry{
			letter: place(mq.Queue{Broker: strings.Repeat("b", 128), ID: 65535}, 1<<62+int64(n)), id: recorded(strings.Repeat("é", longestID/2)),
			outcome: outcomeResending, unseen: slices.Repeat([]span{{1 << 50, 1 << 51}}, 32), noted: 1 << 60,
		})
	}
	if size := len(full.encode(0)); size > 1<<20 {
		t.Errorf("a ConfigMap of %d bytes is refused", size)
	}
}
