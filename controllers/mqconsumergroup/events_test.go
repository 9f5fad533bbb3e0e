// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

func TestWhatChangesIsToldOnceAndAsLoudAsItIs(t *testing.T) {
	const yes, no, unknown = metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	type state struct {
		status metav1.ConditionStatus
		reason string
	}
	for sentence, test := range map[string]struct {
		condition string
		states    []state
		want      []string
	}{
		"who is suspended wants it":                     {v1alpha1.ConditionParked, []state{{no, v1alpha1.ReasonNotParked}, {yes, v1alpha1.ReasonSuspended}}, []string{"Normal Suspended"}},
		"so does who suspends an adapter":               {v1alpha1.ConditionParked, []state{{yes, v1alpha1.ReasonAdapterSuspended}}, []string{"Normal AdapterSuspended"}},
		"the end of a suspension is seen in the status": {v1alpha1.ConditionParked, []state{{yes, v1alpha1.ReasonSuspended}, {no, v1alpha1.ReasonNotParked}}, []string{"Normal Suspended"}},
		"a group is parked that was suspended":          {v1alpha1.ConditionParked, []state{{yes, v1alpha1.ReasonSuspended}, {yes, v1alpha1.ReasonNothingThere}}, []string{"Normal Suspended", "Warning NothingThere"}},
		"an outage is told by ThirdPartyDown":           {v1alpha1.ConditionParked, []state{{yes, v1alpha1.ReasonCircuitOpen}}, nil},
		"a group is being drained":                      {v1alpha1.ConditionDrained, []state{{unknown, v1alpha1.ReasonPodsNotAnswering}, {no, v1alpha1.ReasonInFlight}}, nil},
		"it is drained":                                 {v1alpha1.ConditionDrained, []state{{no, v1alpha1.ReasonInFlight}, {yes, v1alpha1.ReasonDrained}}, []string{"Normal Drained"}},
		"it is not drained in time, whether pods answer or not": {v1alpha1.ConditionDrained,
			[]state{{no, v1alpha1.ReasonInFlight}, {no, v1alpha1.ReasonDrainDeadlineExceeded}, {unknown, v1alpha1.ReasonDrainDeadlineExceeded}, {no, v1alpha1.ReasonDrainDeadlineExceeded}, {yes, v1alpha1.ReasonDrained}},
			[]string{"Warning DrainDeadlineExceeded", "Normal Drained"}},
		"a third party is down, and back": {v1alpha1.ConditionThirdPartyDown, []state{{no, v1alpha1.ReasonCircuitClosed}, {yes, v1alpha1.ReasonCircuitOpen}, {no, v1alpha1.ReasonCircuitClosed}}, []string{"Warning CircuitOpen", "Normal CircuitClosed"}},
		"strangers join":                  {v1alpha1.ConditionForeignConsumers, []state{{no, v1alpha1.ReasonNoForeignConsumers}, {yes, v1alpha1.ReasonForeignConsumersOnline}, {no, v1alpha1.ReasonNoForeignConsumers}}, []string{"Warning ForeignConsumersOnline"}},
		"a queue stands still":            {v1alpha1.ConditionQueueStuck, []state{{unknown, v1alpha1.ReasonNotRead}, {yes, v1alpha1.ReasonQueueStandsStill}, {no, v1alpha1.ReasonQueuesMove}}, []string{"Warning QueueStandsStill"}},
		"messages are about to be deleted, and then at once": {v1alpha1.ConditionRetentionAtRisk, []state{{yes, v1alpha1.ReasonMessagesExpiring}, {yes, v1alpha1.ReasonDiskFull}, {no, v1alpha1.ReasonRetentionSuffices}},
			[]string{"Warning MessagesExpiring", "Warning DiskFull"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			r := &Reconciler{Recorder: recorder}
			group := push()
			for _, s := range append(test.states, test.states[len(test.states)-1]) { // the last is looked at twice
				before := group.DeepCopy()
				condition.Set(&group.Status.Conditions, 1, noon, metav1.Condition{Type: test.condition, Status: s.status, Reason: s.reason, Message: "why"})
				r.record(group, group, condition.Changed(before.Status.Conditions, group.Status.Conditions))
			}
			close(recorder.Events)
			var got []string
			for e := range recorder.Events {
				got = append(got, e)
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("told is %q, want %q", got, test.want)
			}
		})
	}
}
