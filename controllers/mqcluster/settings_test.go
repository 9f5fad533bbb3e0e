// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestWhatBrokersHaveOnOrOffIsTold(t *testing.T) {
	fit := map[string]string{rocketmq.PropertyFilter: "true", rocketmq.TimerWheel: "true", rocketmq.AutoCreateTopic: "false", rocketmq.AutoCreateGroup: "false"}
	with := func(property, value string) rocketmq.BrokerConfig {
		config := rocketmq.BrokerConfig{property: value}
		for name, wanted := range fit {
			if name != property {
				config[name] = wanted
			}
		}
		return config
	}
	for sentence, test := range map[string]struct {
		second  rocketmq.BrokerConfig // of broker-b; broker-a is as wanted
		err     error
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"all is as wanted":                  {second: fit, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSettingsFit},
		"one does not filter by properties": {with(rocketmq.PropertyFilter, "false"), nil, metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit, "enablePropertyFilter is not true on broker-b, so subscriptions of type SQL92 are refused"},
		"one has no timers":                 {with(rocketmq.TimerWheel, "false"), nil, metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit, "timerWheelEnable is not true on broker-b, so messages to be delivered at a given time are refused"},
		"one makes topics by itself":        {with(rocketmq.AutoCreateTopic, "true"), nil, metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit, "autoCreateTopicEnable is not false on broker-b, so a mistyped topic is created"},
		"one makes groups by itself":        {with(rocketmq.AutoCreateGroup, "true"), nil, metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit, "autoCreateSubscriptionGroup is not false on broker-b, so a mistyped group is created"},
		"one is of a version without it":    {second: rocketmq.BrokerConfig{}, status: metav1.ConditionTrue, reason: v1alpha1.ReasonSettingsFit},
		"one cannot be asked":               {err: errors.New("away"), status: metav1.ConditionUnknown, reason: v1alpha1.ReasonNotRead, message: "not every master"},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := brokerSettings(facts{brokers: []brokerFacts{
				{Master: topology.Master{Name: "broker-a"}, config: fit}, {Master: topology.Master{Name: "broker-b"}, config: test.second, err: test.err},
			}})
			if c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.message) || strings.Contains(c.Message, "broker-a") {
				t.Errorf("got %s %s: %s", c.Status, c.Reason, c.Message)
			}
		})
	}
}

func TestAWishForOtherSettingsLeavesAClusterReady(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{Properties: map[string]string{rocketmq.AutoCreateTopic: "true"}})
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionBrokerSettings, metav1.ConditionFalse, v1alpha1.ReasonSettingsLimit, "autoCreateTopicEnable is not false on broker-a")
}

func TestABrokerWithoutItsMasterIsMissed(t *testing.T) {
	results := check(facts{brokers: []brokerFacts{{Master: topology.Master{Name: "broker-a"}}}, masterless: []string{"broker-b"}})
	worst := result.Worst(results...)
	if worst.State != result.Waiting || worst.Reason != v1alpha1.ReasonNoMaster || !strings.Contains(worst.Message, "of broker broker-b slaves alone are there") ||
		!strings.Contains(worst.Message, "orderflow.dev/forget-broker=broker-b") {
		t.Errorf("got %+v", worst)
	}
}
