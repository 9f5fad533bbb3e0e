// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// another is the next replay of the group, in the place of the one before it.
func (w *world) another(name string, policy v1alpha1.ReplayedPolicy) {
	w.t.Helper()
	w.replay = &v1alpha1.DeadLetterReplay{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name},
		Spec:       v1alpha1.DeadLetterReplaySpec{GroupRef: w.replay.Spec.GroupRef, Rate: 100, AlreadyReplayed: policy},
	}
	w.Create(w.t, w.replay)
}

// TestWhatAnEarlierReplayGaveBackIsNotGivenBackAgain: for third parties that ignore keys it would be a second effect.
func TestWhatAnEarlierReplayGaveBackIsNotGivenBackAgain(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), func(r *v1alpha1.DeadLetterReplay) {
		r.Spec.Filter = &v1alpha1.ReplayFilter{Reasons: []string{"RetriesExhausted"}}
	})
	for n := range 3 {
		w.bury(n)
	}
	w.bury(2) // the message's second letter
	w.reconcile()
	first := w.replay
	w.another("more", "")
	w.reconcile()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplayQueued, "DeadLetterReplay again of the same group is older and not done")

	second := w.replay
	w.replay = first
	w.run()
	w.wantCounts(4, 3, 1, one("Duplicate", 1))
	w.bury(1) // it died again
	w.bury(5)
	w.replay = second
	w.run()
	w.wantCounts(6, 2, 4, one("AlreadyReplayed", 4))

	w.another("once-more", v1alpha1.ReplayedRepeat)
	w.run()
	w.wantCounts(6, 4, 2, one("Duplicate", 2))
	w.await(9)
	if ids := w.ids(); !slices.Equal(ids, []string{"U0", "U0", "U1", "U1", "U1", "U2", "U2", "U5", "U5"}) {
		t.Errorf("given back were %v", ids)
	}

	w.must(w.Delete(t.Context(), first))
	w.another("after-all", v1alpha1.ReplayedSkip)
	w.run()
	w.wantCounts(6, 0, 6, one("AlreadyReplayed", 6))
}

// recordReader counts how often the record of a replay is read.
type recordReader struct {
	client.Reader
	replay string
	times  int
}

func (r *recordReader) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	if o.ApplyOptions(opts); o.LabelSelector != nil && o.LabelSelector.String() == labelReplay+"="+r.replay {
		r.times++
	}
	return r.Reader.List(ctx, list, opts...)
}

// TestEarlierRecordsAreReadForABatchOnly: each may be as long as a megabyte, and one that waits looks again every few seconds.
func TestEarlierRecordsAreReadForABatchOnly(t *testing.T) {
	w := newWorld(t, fake.Start(t, fake.Config{DelayLevels: soon}).NameServer(), nil)
	w.bury(1)
	w.run()
	first := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: recordName(w.replay, 0)}}
	w.Read(t, first)
	reader := &recordReader{Reader: w.r.Live, replay: w.replay.Name}
	w.r.Live = reader
	w.another("more", "")
	w.replay.Spec.Suspend = new(true)
	w.Write(t, w.replay)
	w.reconcile()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplaySuspended)
	if reader.times != 0 {
		t.Errorf("one that is suspended read the record of the earlier one %d times", reader.times)
	}

	w.replay.Spec.Suspend = nil
	w.Write(t, w.replay)
	w.must(w.Delete(t.Context(), first.DeepCopy()))
	w.reconcile()
	w.want(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRecordLost, "of the earlier DeadLetterReplay again: ConfigMap again-outcomes-0 is gone")
	first.ResourceVersion = ""
	w.must(w.Client.Create(t.Context(), first))
	w.run()
	w.wantCounts(1, 0, 1, one("AlreadyReplayed", 1))
}

func TestAReplayIsHeldUpByOneThatIsOlderAndCanBegin(t *testing.T) {
	now := metav1.Now()
	at := func(name string, age time.Duration, change func(*v1alpha1.DeadLetterReplay)) *v1alpha1.DeadLetterReplay {
		r := &v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-age))}}
		change(r)
		return r
	}
	as := func(*v1alpha1.DeadLetterReplay) {}
	mine := at("b", 0, as)
	for sentence, c := range map[string]struct {
		other *v1alpha1.DeadLetterReplay
		want  bool
	}{
		"older":                         {at("c", time.Minute, as), true},
		"younger":                       {at("a", -time.Minute, as), false},
		"of one age, by name":           {at("a", 0, as), true},
		"of one age, later by name":     {at("c", 0, as), false},
		"older and done":                {at("c", time.Minute, func(r *v1alpha1.DeadLetterReplay) { r.Status.CompletionTime = &now }), false},
		"older and being deleted":       {at("c", time.Minute, func(r *v1alpha1.DeadLetterReplay) { r.DeletionTimestamp = &now }), false},
		"older and without a sense":     {at("c", time.Minute, func(r *v1alpha1.DeadLetterReplay) { r.Spec.Filter = &v1alpha1.ReplayFilter{WhenExpression: "order +"} }), false},
		"older and suspended meanwhile": {at("c", time.Minute, func(r *v1alpha1.DeadLetterReplay) { r.Spec.Suspend = new(true) }), true},
	} {
		if got := goesBefore(c.other, mine); got != c.want {
			t.Errorf("one that is %s goes first: %v", sentence, got)
		}
	}
}
