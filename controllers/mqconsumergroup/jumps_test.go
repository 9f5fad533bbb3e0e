// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// losing is a pod that started at a time and has seen these losses of 10 messages each.
func losing(pod string, started time.Time, from ...int64) workersync.Report {
	a := worker.SyncResponse{Started: started, JumpsTotal: int64(len(from)), MessagesLost: 10 * int64(len(from))}
	for _, offset := range from {
		a.Jumps = append(a.Jumps, worker.Jump{Queue: "Orders@broker-a#3", Cause: worker.JumpDeleted, From: offset, To: offset + 10, Time: noon.Add(time.Duration(offset) * time.Millisecond)})
	}
	return workersync.Report{Pod: pod, Time: noon, Answer: a}
}

// tell lets the status take in what pods report.
func tell(seen *inputs, reports ...workersync.Report) *v1alpha1.Jumps {
	seen.reports = reports
	seen.group.Status.Jumps = countJumps(seen)
	return seen.group.Status.Jumps
}

func TestEachLossIsCountedOnce(t *testing.T) {
	seen := ready()
	if got := tell(seen, losing("a", noon)); got != nil || jumpsMoved(seen) {
		t.Errorf("without a loss there is %+v", got)
	}
	for _, step := range []struct {
		says    string
		reports []workersync.Report
		lost    int64
		last    []int64 // the offsets they begin at
		pods    int
	}{
		{"the first", []workersync.Report{losing("a", noon, 100)}, 10, []int64{100}, 1},
		{"the same told again", []workersync.Report{losing("a", noon, 100)}, 10, []int64{100}, 1},
		{"another of the same pod", []workersync.Report{losing("a", noon, 100, 200)}, 20, []int64{200, 100}, 1},
		{"one of another pod, while the first does not answer", []workersync.Report{silent("a"), losing("b", noon, 150)}, 30, []int64{150, 200, 100}, 2},
		{"the first pod again, in a new process", []workersync.Report{losing("a", noon.Add(time.Minute), 300), losing("b", noon, 150)}, 40, []int64{300, 150, 200, 100}, 2},
		{"a pod has gone", []workersync.Report{losing("b", noon, 150)}, 40, []int64{300, 150, 200, 100}, 1},
	} {
		seen.reports = step.reports
		news := seen.group.Status.Jumps == nil || seen.group.Status.Jumps.MessagesLost != step.lost
		if jumpsMoved(seen) != news {
			t.Errorf("%s: it is said to be worth telling: %v", step.says, !news)
		}
		got := tell(seen, step.reports...)
		var last []int64
		for _, j := range got.Last {
			last = append(last, j.From)
		}
		if got.MessagesLost != step.lost || len(got.Pods) != step.pods || !cmp.Equal(last, step.last) {
			t.Errorf("%s: %d lost, last %v, %d pods; want %d, %v, %d", step.says, got.MessagesLost, last, len(got.Pods), step.lost, step.last, step.pods)
		}
	}
}

// TestALossThatTheNextOwnerOfItsQueueSeesAgainIsCountedOnce has pods pass over [100, 110), and others from below it, or beyond it, again.
func TestALossThatTheNextOwnerOfItsQueueSeesAgainIsCountedOnce(t *testing.T) {
	passed := func(jumps ...worker.Jump) workersync.Report {
		a := worker.SyncResponse{Started: noon, JumpsTotal: int64(len(jumps)), Jumps: jumps}
		for _, j := range jumps {
			if j.Cause == worker.JumpDeleted {
				a.MessagesLost += j.To - j.From
			}
		}
		return workersync.Report{Pod: "b", Time: noon, Answer: a}
	}
	deleted := func(from, to int64) worker.Jump {
		return worker.Jump{Queue: "Orders@broker-a#3", Cause: worker.JumpDeleted, From: from, To: to, Time: noon}
	}
	elsewhere, anew := deleted(100, 110), worker.Jump{Queue: "Orders@broker-a#3", Cause: worker.JumpBeyondEnd, From: 110, To: 0, Time: noon}
	elsewhere.Queue = "Orders@broker-a#4"
	for name, c := range map[string]struct {
		second   workersync.Report
		lost     int64
		from, to int64 // of the last that is told
	}{
		"the same":                      {passed(deleted(100, 110)), 10, 100, 110},
		"a part of it":                  {passed(deleted(102, 107)), 10, 100, 110},
		"from below it":                 {passed(deleted(95, 110)), 15, 95, 100},
		"more above it":                 {passed(deleted(105, 120)), 20, 110, 120},
		"from below, and more above":    {passed(deleted(95, 120)), 30 - 5, 95, 120},
		"twice by the next":             {passed(deleted(95, 110), deleted(90, 120)), 30, 90, 120},
		"of another queue":              {passed(elsewhere), 20, 100, 110},
		"of a queue that was made anew": {passed(anew, deleted(100, 110)), 20, 100, 110},
		"below it":                      {passed(deleted(90, 100)), 20, 90, 100},
		"above it":                      {passed(deleted(110, 120)), 20, 110, 120},
	} {
		t.Run(name, func(t *testing.T) {
			seen := ready()
			tell(seen, losing("a", noon, 100))
			got := tell(seen, losing("a", noon, 100), c.second)
			if got.MessagesLost != c.lost || got.Last[0].From != c.from || got.Last[0].To != c.to {
				t.Errorf("%d lost, last %d to %d; want %d, last %d to %d", got.MessagesLost, got.Last[0].From, got.Last[0].To, c.lost, c.from, c.to)
			}
			if again := tell(seen, losing("a", noon, 100), c.second); again.MessagesLost != c.lost || jumpsMoved(seen) {
				t.Errorf("told again, %d are lost", again.MessagesLost)
			}
		})
	}
}

func TestMoreJumpsThanAPodRemembersAreCounted(t *testing.T) {
	seen := ready()
	report := losing("a", noon, 10, 20, 30)
	report.Answer.JumpsTotal, report.Answer.MessagesLost = 100, 5000
	if got := tell(seen, report); got.MessagesLost != 5000 || len(got.Last) != 3 {
		t.Errorf("%d lost, %d named; want 5000, and the 3 there are", got.MessagesLost, len(got.Last))
	}
}

func TestALossKeepsAGroupFromBeingReadyUntilItIsAcknowledged(t *testing.T) {
	seen := ready()
	jumps := tell(seen, losing("push-x", noon, 1240))
	got := nothingLost(seen.group, jumps)
	for _, want := range []string{"10 messages were deleted", "in queue Orders@broker-a#3, offsets 1240 to 1250", "by pod push-x", "kubectl annotate mqcg push orderflow.dev/acknowledge-loss=10 --overwrite"} {
		if got.State != result.Stalled || got.Reason != v1alpha1.ReasonMessagesLost || !strings.Contains(got.Message, want) {
			t.Errorf("got %+v, want it to say %q", got, want)
		}
	}
	seen.group.Annotations = map[string]string{v1alpha1.AcknowledgeLossAnnotation: "10"}
	if got := nothingLost(seen.group, jumps); !got.IsDone() {
		t.Errorf("it was acknowledged, and there is %+v", got)
	}
	if got := nothingLost(seen.group, tell(seen, losing("push-x", noon, 1240, 1300))); got.IsDone() || !strings.Contains(got.Message, "acknowledge-loss=20") {
		t.Errorf("more was lost, and there is %+v", got)
	}
}

func TestEachJumpIsAnEventOnce(t *testing.T) {
	seen := ready()
	report := losing("a", noon, 7)
	for _, cause := range []worker.JumpCause{worker.JumpBeyondEnd, worker.JumpReset} {
		report.Answer.Jumps = append(report.Answer.Jumps, worker.Jump{Queue: "Orders@broker-b#0", Cause: cause, From: 90, To: 40, Time: noon})
		report.Answer.JumpsTotal++
	}
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{Recorder: recorder}
	before := seen.group.DeepCopy()
	tell(seen, report)
	r.recordJumps(seen.group, before)
	for _, want := range []string{"Warning MessagesLost 10 messages were deleted before they were read, in queue Orders@broker-a#3", "Warning OffsetBeyondEnd", "Normal OffsetReset"} {
		if got := <-recorder.Events; !strings.HasPrefix(got, want) {
			t.Errorf("got the event %q, want %q", got, want)
		}
	}
	tell(seen, report)
	r.recordJumps(seen.group, seen.group.DeepCopy())
	if n := len(recorder.Events); n != 0 {
		t.Errorf("%d events for what was told before", n)
	}
}

func TestJumpsComeBackFromTheAPIAsTheyWereCounted(t *testing.T) {
	w := newWorld(t, nil)
	seen := &inputs{group: w.group, reports: []workersync.Report{losing("push-x", noon.Add(500*time.Millisecond), 0, 10)}}
	w.group.Status.Jumps = countJumps(seen)
	w.group.Status.Replicas, w.group.Status.ReadyReplicas = 0, 0
	w.must(w.Status().Update(t.Context(), w.group))
	w.must(w.Get(t.Context(), client.ObjectKeyFromObject(w.group), w.group))
	if jumpsMoved(seen) || countJumps(seen).MessagesLost != 20 {
		t.Errorf("they are counted again: %+v", w.group.Status.Jumps)
	}
	w.must(second(w.reconcile())) // after which nobody has heard of that pod
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMessagesLost, "20 messages were deleted")
	w.group.Annotations = map[string]string{v1alpha1.AcknowledgeLossAnnotation: "20"}
	w.must(w.Update(t.Context(), w.group))
	w.settle()
	w.want(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
}
