// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

func TestTheThreeConditionsOfKstatusFollowTheWorstResult(t *testing.T) {
	wait, stall := result.Wait("Slow", 0, "it takes time"), result.Stall("Wrong", "somebody has to act")
	fail := result.Fail("Unread", errors.New("timeout"), "reading")
	for sentence, test := range map[string]struct {
		results                    []result.Result
		ready, reconciling, stalls metav1.ConditionStatus
		reason, message            string
	}{
		"done":                               {nil, "True", "False", "False", "Ready", "all is well"},
		"waiting":                            {[]result.Result{{}, wait}, "False", "True", "False", "Slow", "it takes time"},
		"unknown":                            {[]result.Result{fail}, "Unknown", "True", "False", "Unread", "reading: timeout"},
		"stalled":                            {[]result.Result{stall}, "False", "False", "True", "Wrong", "somebody has to act"},
		"stalled wins over what waits":       {[]result.Result{wait, fail, stall}, "False", "False", "True", "Wrong", "somebody has to act; also: it takes time; also: reading: timeout"},
		"what is not known wins over a wait": {[]result.Result{wait, fail}, "Unknown", "True", "False", "Unread", "reading: timeout; also: it takes time"},
		"three sentences are enough":         {[]result.Result{fail, wait, result.Wait("Slow", 0, "b"), result.Wait("Slow", 0, "c"), result.Wait("Slow", 0, "d")}, "Unknown", "True", "False", "Unread", "reading: timeout; also: it takes time; also: b; and 2 more"},
		"a sentence is said once":            {[]result.Result{wait, wait}, "False", "True", "False", "Slow", "it takes time"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := Summary("all is well", test.results...)
			for i, want := range []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: test.ready}, {Type: v1alpha1.ConditionReconciling, Status: test.reconciling}, {Type: v1alpha1.ConditionStalled, Status: test.stalls},
			} {
				want.Reason = test.reason
				if want.Type == v1alpha1.ConditionReady || want.Status == metav1.ConditionTrue {
					want.Message = test.message
				}
				if got[i] != want {
					t.Errorf("got %+v\nwant %+v", got[i], want)
				}
			}
		})
	}
}

func TestATransitionIsAChangeOfStatusOrReason(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var list []metav1.Condition
	set := func(generation int64, at time.Time, conditions []metav1.Condition) []Transition {
		before := slices.Clone(list)
		Set(&list, generation, at, conditions...)
		return Changed(before, list)
	}
	if changed := set(1, noon, Summary("fine")); len(changed) != 3 || changed[0].Old.Type != "" {
		t.Errorf("new conditions are the transitions %+v", changed)
	}
	if changed := set(2, noon.Add(time.Hour), Summary("finer")); len(changed) != 0 {
		t.Errorf("another message is the transitions %+v", changed)
	}
	if c := list[0]; c.ObservedGeneration != 2 || c.Message != "finer" || !c.LastTransitionTime.Time.Equal(noon) {
		t.Errorf("want generation and message anew and the time of the transition kept: %+v", c)
	}
	changed := set(2, noon.Add(time.Hour), Summary("", result.Wait("Slow", 0, "slow")))
	if len(changed) == 0 || changed[0].Old.Status != metav1.ConditionTrue || !list[0].LastTransitionTime.Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("want a transition away from True: %+v", changed)
	}
}

func TestAWarningIsForWhatGotWorse(t *testing.T) {
	wait, stall, pods := result.Wait("Slow", 0, "slow"), result.Stall("Wrong", "wrong"), result.Wait(v1alpha1.ReasonPodsNotReady, 0, "they start")
	for sentence, test := range map[string]struct {
		before, after []result.Result
		edited        int64
		want          string
	}{
		"ready at last":              {before: []result.Result{wait}, after: nil, want: "Normal Ready"},
		"no longer ready":            {before: nil, after: []result.Result{wait}, want: "Warning Slow"},
		"stalled":                    {before: []result.Result{wait}, after: []result.Result{stall}, want: "Warning Wrong"},
		"waiting instead of stalled": {before: []result.Result{stall}, after: []result.Result{wait}, want: "Normal Slow"},
		"as before":                  {before: []result.Result{wait}, after: []result.Result{wait}, want: ""},
		"its pods fail":              {before: nil, after: []result.Result{pods}, want: "Warning PodsNotReady"},
		"its pods are replaced, as somebody has edited it": {before: nil, after: []result.Result{pods}, edited: 1, want: ""},
		"somebody's edit stalls it":                        {before: nil, after: []result.Result{stall}, edited: 1, want: "Warning Wrong"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var list []metav1.Condition
			Set(&list, 1, time.Now(), Summary("fine", test.before...)...)
			before := slices.Clone(list)
			Set(&list, 1+test.edited, time.Now(), Summary("fine", test.after...)...)
			changed := Changed(before, list)
			recorder := events.NewFakeRecorder(9)
			RecordReady(recorder, &v1alpha1.MQCluster{}, list, changed)
			got := ""
			if len(recorder.Events) > 0 {
				got = <-recorder.Events
			}
			if !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("the event is %q, want %q", got, test.want)
			}
		})
	}
}

func TestALongMessageIsCutAtACharacter(t *testing.T) {
	long := result.Stall("Wrong", "%s", strings.Repeat("ü", maxMessage))
	if got := Summary("", long)[0].Message; len(got) > maxMessage+len("…") || !strings.HasSuffix(got, "ü…") {
		t.Errorf("the message has %d bytes and ends in %q", len(got), got[len(got)-8:])
	}
}

func TestOnlyWhatMattersToOthersWakesThem(t *testing.T) {
	at := func(generation int64, r ...result.Result) *v1alpha1.MQCluster {
		cluster := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Generation: generation}}
		Set(&cluster.Status.Conditions, generation, time.Now(), Summary("fine", r...)...)
		return cluster
	}
	verified := at(1)
	verified.Status.LastVerifiedTime = new(metav1.Now())
	edited := at(1)
	edited.Generation = 2
	well := at(1)
	well.Status.Conditions[0].Message = "finer"
	p := ReadyChanged(func(o client.Object) []metav1.Condition { return o.(*v1alpha1.MQCluster).Status.Conditions })
	for sentence, test := range map[string]struct {
		before, after *v1alpha1.MQCluster
		want          bool
	}{
		"another look":                    {at(1), verified, false},
		"more is said of what is ready":   {at(1), well, false},
		"another spec, not looked at yet": {at(1), edited, false},
		"another spec, looked at":         {edited, at(2), true},
		"no longer ready":                 {at(1), at(1, result.Wait("Slow", 0, "slow")), true},
		"ready for once":                  {&v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Generation: 1}}, at(1), true},
		"being deleted now":               {at(1), func() *v1alpha1.MQCluster { c := at(1); c.DeletionTimestamp = new(metav1.Now()); return c }(), true},
	} {
		if got := p.Update(event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}); got != test.want {
			t.Errorf("%s: wakes %t, want %t", sentence, got, test.want)
		}
	}
}

func TestWhatTurnedIsToldBeforeWhatMerelyChanged(t *testing.T) {
	of := func(r ...result.Result) *v1alpha1.MQCluster {
		cluster := &v1alpha1.MQCluster{}
		Set(&cluster.Status.Conditions, 0, time.Now(), Summary("fine", r...)...)
		return cluster
	}
	slow, slower, wrong := of(result.Wait("Slow", 0, "slow")), of(result.Wait("Slow", 0, "slower")), of(result.Stall("Wrong", "wrong"))
	edited := &v1alpha1.MQCluster{}
	Set(&edited.Status.Conditions, 1, time.Now(), Summary("fine")...)
	p := Turned(func(o client.Object) []metav1.Condition { return o.(*v1alpha1.MQCluster).Status.Conditions })
	for sentence, test := range map[string]struct {
		before, after *v1alpha1.MQCluster
		want          bool
	}{
		"became ready":               {slow, of(), true},
		"is ready no more":           {of(), slow, true},
		"stalls":                     {slow, wrong, true},
		"waits for more":             {slow, slower, false},
		"is as it was before":        {wrong, wrong, false},
		"is ready with another spec": {of(), edited, true},
	} {
		if got := p.Update(event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}); got != test.want {
			t.Errorf("%s: turned %t, want %t", sentence, got, test.want)
		}
	}
}

func TestOtherCountsWake(t *testing.T) {
	of := func(lag, retry, dead int64, ready int32) *v1alpha1.MQConsumerGroup {
		return &v1alpha1.MQConsumerGroup{Status: v1alpha1.MQConsumerGroupStatus{Lag: &lag, RetryLag: &retry, DeadLetters: &dead, ReadyReplicas: ready}}
	}
	for sentence, c := range map[string]struct {
		after *v1alpha1.MQConsumerGroup
		want  bool
	}{
		"as it was":              {of(1, 2, 3, 4), false},
		"another lag":            {of(0, 2, 3, 4), true},
		"another lag of such":    {of(1, 0, 3, 4), true},
		"another dead letter":    {of(1, 2, 4, 4), true},
		"another pod":            {of(1, 2, 3, 5), true},
		"nothing known any more": {&v1alpha1.MQConsumerGroup{}, true},
	} {
		if got := Counted().Update(event.UpdateEvent{ObjectOld: of(1, 2, 3, 4), ObjectNew: c.after}); got != c.want {
			t.Errorf("%s: wakes %t, want %t", sentence, got, c.want)
		}
	}
	if g := of(0, 0, 0, 0); Counted().Create(event.CreateEvent{Object: g}) || Counted().Delete(event.DeleteEvent{Object: g}) {
		t.Error("one that comes or goes wakes by its counts")
	}
}
