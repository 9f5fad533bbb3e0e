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

// Its transactions come last: once there was one, a thread of the broker spins.
func TestRealBrokerThatChecksSignaturesAndFilters(t *testing.T) {
	user := rocketmq.User{Name: "orderflow", Password: "orderflow-secret"}
	mq := broker.Own(t, rocketmq.Options{ACL: &user, EnablePropertyFilter: true, Properties: map[string]string{
		"transactionTimeOut": "1000", "transactionCheckInterval": "1000",
	}})
	target := func(*testing.T) conformance.Target {
		return conformance.Target{NameServer: mq.NameServer(), Credentials: remoting.Credentials{AccessKey: user.Name, SecretKey: user.Password}}
	}
	conformance.Run(t, target)
	conformance.RunTransactions(t, target)
}

// What a member says of itself RocketMQ's own tools read, and it understands what
// they want of it.
func TestTheAdministrationToolTalksToAMember(t *testing.T) {
	mq := broker.Shared(t)
	topic, group := broker.Name(t, "topic"), broker.Name(t, "group")
	queue := remoting.Queue{Topic: topic, Broker: rocketmq.DefaultBroker, ID: 0}
	client, addr := member(t, mq.NameServer(), topic, group, func(r *remoting.Request) (body []byte, err error) {
		switch r.Op() {
		case remoting.OpRunningInfo:
			return remoting.RunningInfo{
				Properties:    map[string]string{"PROP_CONSUME_TYPE": "CONSUME_PASSIVELY", "PROP_CLIENT_VERSION": "V5_5_0", "PROP_CONSUMER_START_TIMESTAMP": "1"},
				Subscriptions: []remoting.Subscription{{Topic: topic, Expression: "A || B"}},
				Queues:        map[remoting.Queue]remoting.QueueInfo{queue: {Committed: 4711}},
			}.Encode()
		case remoting.OpClientStatus:
			return remoting.EncodeOffsets(map[remoting.Queue]int64{queue: 4712})
		}
		return nil, nil
	})
	status := func() (string, error) { return mq.Admin(t.Context(), "consumerStatus", "-g", group, "-i", "m@1") }
	_, err := rocketmq.AdminUntil(status, "4711", "A || B", topic)
	if err != nil {
		t.Error(err)
	}
	// The tool has no command for this one any more, the broker has.
	const clientStatus = 223
	r, err := client.Do(t.Context(), addr, clientStatus, remoting.Fields{{Name: "topic", Value: topic}, {Name: "group", Value: group}}, nil)
	if err != nil || !strings.Contains(string(r.Body), "4712") {
		t.Errorf("where the member stands: %v, %v", r, err)
	}
}

// An administrator's reset reaches whoever pulls as an offset that moved, not as a
// request to the members.
func TestAResetMovesTheNextPull(t *testing.T) {
	mq := broker.Shared(t)
	topic, group := broker.Name(t, "topic"), broker.Name(t, "group")
	queue := remoting.Queue{Topic: topic, Broker: rocketmq.DefaultBroker, ID: 0}
	client, addr := member(t, mq.NameServer(), topic, group, func(r *remoting.Request) ([]byte, error) {
		if r.Op() == remoting.OpResetClientOffset {
			t.Error("the member was asked to reset")
		}
		return nil, nil
	})
	_, err := client.Send(t.Context(), addr, remoting.SendRequest{Group: "p", Queue: queue, Messages: []remoting.OutMessage{{Body: []byte("a")}, {Body: []byte("b")}}})
	if err == nil {
		err = client.CommitOffset(t.Context(), addr, group, queue, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	reset := func() (string, error) {
		return mq.Admin(t.Context(), "resetOffsetByTime", "-g", group, "-t", topic, "-s", "0")
	}
	_, err = rocketmq.AdminUntil(reset, rocketmq.DefaultBroker) // it lists the queues it has reset
	if err != nil {
		t.Fatal(err)
	}
	p := remoting.PullRequest{Group: group, Queue: queue, Offset: 2, MaxMessages: 1}
	for _, want := range []remoting.PullResult{
		{Status: remoting.OffsetIllegal, Next: 0},
		{Status: remoting.NoNewMessage, Next: 2}, // it is said once
	} {
		r, err := client.Pull(t.Context(), addr, p)
		if err != nil || r.Status != want.Status || r.Next != want.Next {
			t.Errorf("got %+v, %v, want %v at %d", r, err, want.Status, want.Next)
		}
	}
	if offset, err := client.QueryOffset(t.Context(), addr, group, queue); offset != 0 || err != nil {
		t.Errorf("the group stands at %d, %v", offset, err)
	}
}

// member joins a new group of a new topic as m@1 and answers what the broker asks.
func member(t *testing.T, nameServer, topic, group string, answer func(*remoting.Request) ([]byte, error)) (*remoting.Client, string) {
	client := remoting.NewClient(remoting.Config{OnRequest: func(r *remoting.Request) {
		body, err := answer(r)
		if err == nil {
			err = r.Reply(remoting.CodeOK, "", body)
		}
		if err != nil {
			t.Error(err)
		}
	}})
	t.Cleanup(client.Close)
	cluster, err := remoting.NewCluster(client, []string{nameServer}, nil)
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
	return client, addr
}
