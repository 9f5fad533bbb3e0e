// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// setting is a property of brokers that decides what can be declared, or that makes what nobody declared.
type setting struct{ property, wanted, consequence string }

func settings() []setting {
	return []setting{
		{rocketmq.PropertyFilter, "true", "subscriptions of type SQL92 are refused"},
		{rocketmq.TimerWheel, "true", "messages to be delivered at a given time are refused"},
		{rocketmq.AutoCreateTopic, "false", "a mistyped topic is created instead of refused"},
		{rocketmq.AutoCreateGroup, "false", "a mistyped group is created instead of refused"},
	}
}

// brokerSettings says in a condition which brokers have something on or off that somebody will stumble over. A wish for another setting is no reason not to
// be Ready.
func brokerSettings(seen facts) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionBrokerSettings, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSettingsFit,
		Message: "no master broker has a feature off, and none creates topics or groups by itself",
	}
	unread := func(b brokerFacts) bool { return b.lost || b.err != nil }
	if !seen.reached.IsDone() || slices.ContainsFunc(seen.brokers, unread) {
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonNotRead, "not every master broker could be asked for its configuration"
		return c
	}
	var limits []string
	for _, s := range settings() {
		var brokers []string
		for _, b := range seen.brokers {
			if value, told := b.config[s.property]; told && value != s.wanted {
				brokers = append(brokers, b.Name)
			}
		}
		if len(brokers) > 0 {
			limits = append(limits, fmt.Sprintf("%s is not %s on %s, so %s", s.property, s.wanted, strings.Join(brokers, ", "), s.consequence))
		}
	}
	if len(limits) > 0 {
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit
		c.Message = strings.Join(limits, "; ") + ": change what you need in the brokers' configuration and restart them, or leave it"
	}
	return c
}
