// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestAGroupIsNotWokenByWhatItHasMadeItself(t *testing.T) {
	made, running := &appsv1.Deployment{}, &appsv1.Deployment{Status: appsv1.DeploymentStatus{ObservedGeneration: 1}}
	for sentence, test := range map[string]struct {
		got, want bool
	}{
		"a Deployment was made":                             {notMade().Create(event.CreateEvent{Object: made}), false},
		"a ConfigMap was made":                              {notMade().Create(event.CreateEvent{Object: &corev1.ConfigMap{}}), false},
		"a Deployment has pods by the time it is seen":      {notMade().Create(event.CreateEvent{Object: running}), true},
		"a Deployment changed":                              {notMade().Update(event.UpdateEvent{ObjectOld: made, ObjectNew: running}), true},
		"somebody deleted it":                               {notMade().Delete(event.DeleteEvent{Object: made}), true},
		"a claim can be read":                               {claimed().Update(event.UpdateEvent{ObjectOld: claiming(""), ObjectNew: claiming("x")}), true},
		"a status changed otherwise":                        {claimed().Update(event.UpdateEvent{ObjectOld: claiming("x"), ObjectNew: claiming("x")}), false},
		"the topic is there":                                {topicChanged().Update(event.UpdateEvent{ObjectOld: flowWith("", ""), ObjectNew: flowWith(metav1.ConditionTrue, "")}), true},
		"the topic may not be read any more":                {topicChanged().Update(event.UpdateEvent{ObjectOld: flowWith("", ""), ObjectNew: flowWith("", v1alpha1.TopicWrite)}), true},
		"the topic is as it was, and something else is not": {topicChanged().Update(event.UpdateEvent{ObjectOld: flowWith("", ""), ObjectNew: flowWith(metav1.ConditionFalse, "")}), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: wakes %t, want %t", sentence, test.got, test.want)
		}
	}
}

func claiming(identity string) *v1alpha1.MQConsumerGroup {
	return &v1alpha1.MQConsumerGroup{Status: v1alpha1.MQConsumerGroupStatus{ClusterIdentity: identity}}
}

func flowWith(topicReady metav1.ConditionStatus, permission v1alpha1.TopicPermission) *v1alpha1.OrderFlow {
	f := &v1alpha1.OrderFlow{}
	f.Spec.Topic.Permission = permission
	if topicReady != "" {
		f.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionTopicReady, Status: topicReady}}
	}
	return f
}
