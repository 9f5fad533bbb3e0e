// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/conformance"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) { broker.Main(m) }

func TestRealBroker(t *testing.T) {
	mq := broker.Shared(t)
	conformance.Run(t, func(*testing.T) conformance.Target { return conformance.Target{NameServer: mq.NameServer()} })
}

func TestRealBrokerThatChecksSignatures(t *testing.T) {
	user := rocketmq.User{Name: "orderflow", Password: "orderflow-secret"}
	mq := broker.Own(t, rocketmq.Options{ACL: &user})
	conformance.Run(t, func(*testing.T) conformance.Target {
		return conformance.Target{NameServer: mq.NameServer(), Credentials: remoting.Credentials{AccessKey: user.Name, SecretKey: user.Password}}
	})
}

// What a member says of itself must be readable by RocketMQ's own tools.
func TestTheAdministrationToolReadsAMember(t *testing.T) {
	mq := broker.Shared(t)
	topic, group := broker.Name(t, "topic"), broker.Name(t, "group")
	client := remoting.NewClient(remoting.Config{OnRequest: func(r *remoting.Request) {
		if r.Op() != remoting.OpRunningInfo {
			return
		}
		body, err := remoting.RunningInfo{
			Properties:    map[string]string{"PROP_CONSUME_TYPE": "CONSUME_PASSIVELY", "PROP_CLIENT_VERSION": "V5_5_0", "PROP_CONSUMER_START_TIMESTAMP": "1"},
			Subscriptions: []remoting.Subscription{{Topic: topic, Expression: "A || B"}},
			Queues:        map[remoting.Queue]remoting.QueueInfo{{Topic: topic, Broker: rocketmq.DefaultBroker, ID: 0}: {Committed: 4711}},
		}.Encode()
		if err == nil {
			err = r.Reply(remoting.CodeOK, "", body)
		}
		if err != nil {
			t.Error(err)
		}
	}})
	t.Cleanup(client.Close)
	cluster, err := remoting.NewCluster(client, []string{mq.NameServer()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	masters, err := cluster.Masters(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	addr := masters[0].Master()
	for _, err := range []error{
		client.PutTopic(t.Context(), addr, remoting.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: remoting.PermRead | remoting.PermWrite}),
		client.PutGroup(t.Context(), addr, remoting.NewGroupConfig(group)),
		client.Heartbeat(t.Context(), addr, remoting.Heartbeat{ClientID: "m@1", Consumers: []remoting.Membership{{
			Group: group, Subscriptions: []remoting.Subscription{{Topic: topic, Version: time.Now().UnixMilli()}, {Topic: remoting.RetryTopic(group)}},
		}}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	printed, err := mq.Admin(t.Context(), "consumerStatus", "-g", group, "-i", "m@1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4711", "A || B", topic} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in what the tool printed:\n%s", want, printed)
		}
	}
}
