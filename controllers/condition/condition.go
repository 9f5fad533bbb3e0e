// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// Of is the condition of one step: True where it is done, with the given message; Unknown where a fact could not be read; else False.
func Of(conditionType string, r result.Result, done string) metav1.Condition {
	c := metav1.Condition{Type: conditionType, Reason: r.Reason, Message: r.Message}
	switch r.State {
	case result.Done:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonReady, done
	case result.Unknown:
		c.Status = metav1.ConditionUnknown
	default:
		c.Status = metav1.ConditionFalse
	}
	return c
}

// Summary is Ready, Reconciling and Stalled for the results of all steps, in the order of their importance. Ready has the reason of the
// worst result and names others after it; done is its message where nothing is in the way. Of the other two, the one that is True says the same.
func Summary(done string, results ...result.Result) []metav1.Condition {
	worst := result.Worst(results...)
	worst.Message = messages(worst, results)
	ready := Of(v1alpha1.ConditionReady, worst, done)
	reconciling := metav1.Condition{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionFalse, Reason: ready.Reason}
	stalled := metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse, Reason: ready.Reason}
	switch worst.State {
	case result.Waiting, result.Unknown:
		reconciling.Status, reconciling.Message = metav1.ConditionTrue, ready.Message
	case result.Stalled:
		stalled.Status, stalled.Message = metav1.ConditionTrue, ready.Message
	}
	return []metav1.Condition{ready, reconciling, stalled}
}

const (
	// maxSentences are named; what a broker that is away does to every consumer of a flow need not be said for each.
	maxSentences = 3
	// maxMessage bounds a message; the API allows 32 KiB, which nobody reads.
	maxMessage = 2048
)

// messages is what is in the way, the worst first, each sentence once.
func messages(worst result.Result, results []result.Result) string {
	list := []string{worst.Message}
	for _, r := range results {
		if !r.IsDone() && !slices.Contains(list, r.Message) {
			list = append(list, r.Message)
		}
	}
	text := strings.Join(list[:min(len(list), maxSentences)], "; also: ")
	if more := len(list) - maxSentences; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// Transition is a condition that changed in what a user would notice. Old is the zero value where the condition is new.
type Transition struct{ Old, New metav1.Condition }

// Set writes conditions into list, for the generation they speak of.
func Set(list *[]metav1.Condition, generation int64, now time.Time, conditions ...metav1.Condition) {
	for _, c := range conditions {
		c.ObservedGeneration = generation
		c.LastTransitionTime = metav1.NewTime(now)
		meta.SetStatusCondition(list, c)
	}
}

// Changed are the conditions whose status or reason are not as they were.
func Changed(was, is []metav1.Condition) []Transition {
	return slices.Collect(transitions(was, is))
}

// AnyChanged reports whether one of Changed is such.
func AnyChanged(was, is []metav1.Condition, such func(Transition) bool) bool {
	for t := range transitions(was, is) {
		if such(t) {
			return true
		}
	}
	return false
}

func transitions(was, is []metav1.Condition) iter.Seq[Transition] {
	return func(yield func(Transition) bool) {
		for _, c := range is {
			var old metav1.Condition
			if found := meta.FindStatusCondition(was, c.Type); found != nil {
				old = *found
			}
			if (old.Status != c.Status || old.Reason != c.Reason) && !yield(Transition{Old: old, New: c}) {
				return
			}
		}
	}
}

// OnItsWay reports whether an object was on its way to Ready, or new, and is so yet or has become Ready: nothing went wrong that somebody should hear of at once.
func OnItsWay(was, is []metav1.Condition) bool {
	waits := func(list []metav1.Condition) bool {
		return Is(list, v1alpha1.ConditionReady, metav1.ConditionFalse) && Is(list, v1alpha1.ConditionReconciling, metav1.ConditionTrue)
	}
	return (len(was) == 0 || waits(was)) && (waits(is) || Is(is, v1alpha1.ConditionReady, metav1.ConditionTrue))
}

// Is reports whether the condition is there and has the status.
func Is(list []metav1.Condition, conditionType string, status metav1.ConditionStatus) bool {
	return meta.IsStatusConditionPresentAndEqual(list, conditionType, status)
}

// Describe is "reason: message" of a condition, for the message of an object that waits for it.
func Describe(list []metav1.Condition, conditionType string) string {
	c := meta.FindStatusCondition(list, conditionType)
	if c == nil {
		return "not looked at yet"
	}
	return c.Reason + ": " + c.Message
}
