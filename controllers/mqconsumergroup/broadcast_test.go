// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// broadcasting makes the group's pods get every message each.
func broadcasting(g *v1alpha1.MQConsumerGroup) {
	g.Spec.Consume.Model, g.Spec.Consume.Broadcasting = v1alpha1.ConsumeBroadcasting, &v1alpha1.Broadcasting{Effect: v1alpha1.BroadcastOncePerPod}
	g.Spec.Retry.MaxAttempts = 1
	g.Spec.Handler = v1alpha1.Handler{Type: v1alpha1.HandlerHTTP, HTTP: &v1alpha1.HTTPHandler{Steps: []v1alpha1.HTTPStep{{
		Name: "refresh", AdapterRef: v1alpha1.LocalObjectReference{Name: "sms"}, BodyExpression: "order",
	}}}}
}

func TestAGroupWhosePodsGetEveryMessageHasNoOffsets(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) {
		broadcasting(g)
		g.Spec.Replicas = new(int32(2*topicQueues + 1)) // more pods than queues
		g.Spec.DeletionPolicy = v1alpha1.DeletionDelete
	})
	w.send(0, 3)
	w.settle()
	w.roll()
	w.beat()
	w.settle()
	w.want(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "every message of topic Orders is handled by each of 5 pods", "there is no lag")
	if got := w.offset(0); got != -1 || w.group.Status.Lag != nil {
		t.Errorf("it has the offset %d and the lag %v, want neither", got, w.group.Status.Lag)
	}
	if m := w.group.Status.RetryPlan.Message; !strings.Contains(m, "it is dropped") {
		t.Errorf("the plan is %q", m)
	}
	for _, b := range w.mq.Brokers() {
		config, err := w.client.GroupConfig(t.Context(), b.Addr(), w.group.Spec.Group)
		if err != nil || !config.BroadcastEnable {
			t.Errorf("at %s the group is %+v, %v", b.Name(), config, err)
		}
	}
	if got := unhandled(&inputs{group: w.group}, w.Now()); !got.IsDone() {
		t.Errorf("it cannot be deleted: %+v", got)
	}
}

func TestAForeignMemberOfABroadcastTakesNothingAway(t *testing.T) {
	seen := ready()
	broadcasting(seen.group)
	seen.broker.members = []string{"10.0.0.9@1234"}
	if c := foreignConsumers(seen); c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "they take no message away from its pods, which get all, but handle every message as well; stop them") {
		t.Errorf("the condition is %s: %s", c.Status, c.Message)
	}
}

func TestAModelChangesWithoutTwoAtOnce(t *testing.T) {
	seen := ready()
	shared := structure(seen)
	broadcasting(seen.group)
	own := structure(seen)
	if !own.Broadcasting || membership(&shared) == membership(&own) {
		t.Errorf("members %s and %s would be online together", membership(&shared), membership(&own))
	}
	if _, err := worker.DecodeStructure([]byte(mustStructure(t, seen))); err != nil {
		t.Errorf("a worker does not take it: %v", err)
	}
}

func mustStructure(t *testing.T, seen *inputs) string {
	t.Helper()
	config, err := structureConfig(seen.group, structure(seen))
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range config.Data {
		return content
	}
	t.Fatal("the structure is empty")
	return ""
}
