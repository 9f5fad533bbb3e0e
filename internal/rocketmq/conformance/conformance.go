// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Target is a RocketMQ to be checked.
type Target struct {
	NameServer string // host:port
	// Credentials are an administrator's; empty if nothing is checked.
	Credentials rocketmq.Credentials
}

// Run checks the RocketMQ that newTarget returns. newTarget is called once for
// each test.
func Run(t *testing.T, newTarget func(t *testing.T) Target) {
	for _, c := range []struct {
		says string
		test func(*testing.T, *env)
	}{
		{"a name server lists masters that answer", clusterInfo},
		{"a topic is created, read back, altered and deleted", topicLifecycle},
		{"a topic name that is not allowed is refused", topicName},
		{"a group is created, read back whole, altered and deleted", groupLifecycle},
		{"a group field that is not sent takes the default", groupDefaults},
		{"groups are listed in pages", groupPages},
		{"an offset never committed is not 0", offsetLifecycle},
		{"offsets of what does not exist are 0", offsetsOfNothing},
		{"a queue that the topic does not have keeps an offset, and counts nowhere", offsetOfNoQueue},
		{"a time is found among the messages of a queue", offsetByTime},
		{"statistics count what is stored and what is committed", statistics},
		{"a queue has one lock", locks},
		{"a member is listed while its connection lives", membership},
		{"members hear of each other", notification},
		{"a member answers an administrator", runningInfo},
		{"a message comes back as it was sent", sendAndPull},
		{"a batch is stored in order", sendBatch},
		{"a compressed body comes back whole", sendCompressed},
		{"a missing topic, group or queue is told apart", missing},
		{"a long poll ends when a message comes", longPoll},
		{"a long poll ends when its time is over", longPollEmpty},
		{"an offset beyond the queue is moved", offsetMoved},
		{"a filter that matches nothing moves on", filtered},
		{"a message that is peeked at is nobody's, and a group that was reset still hears of it", peek},
		{"a subscription by properties is refused where they are not filtered, or its expression is wrong", checkSubscription},
		{"a message sent back returns after its delay", sendBack},
		{"a message that waits for its delay is seen until it has come back", delayed},
		{"a dead letter goes back to its group while its queues are locked, and is not written to its retry topic", giveBack},
		{"a message given up is in the dead letters", deadLetter},
		{"a request that is not signed well is refused", signing},
		{"an unknown request is refused", unknownRequest},
	} {
		t.Run(c.says, func(t *testing.T) { c.test(t, newEnv(t, newTarget(t))) })
	}
}

// env is what each test works with.
type env struct {
	context.Context
	*rocketmq.Client
	target  Target
	cluster *rocketmq.Cluster
	broker  string // name
	addr    string // of its master
}

// patience bounds waiting for what a broker does on its own.
const patience = time.Minute

func newEnv(t *testing.T, target Target) *env {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	e := &env{Context: ctx, target: target}
	e.Client = e.client(t, rocketmq.Config{})
	cluster, err := rocketmq.NewCluster(e.Client, []string{"http://" + target.NameServer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.cluster = cluster
	masters, err := cluster.Masters(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	e.broker, e.addr = masters[0].Name, masters[0].Master()
	return e
}

// client is one more client, closed after the test.
func (e *env) client(t *testing.T, cfg rocketmq.Config) *rocketmq.Client {
	cfg.Credentials = func() rocketmq.Credentials { return e.target.Credentials }
	c := rocketmq.NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

// name is a topic or group that nobody else uses.
func name() string { return "conformance_" + strings.ToLower(rand.Text()[:12]) }

// topic creates a topic of two queues that is gone after the test.
func (e *env) topic(t *testing.T) string {
	t.Helper()
	topic := name()
	must(t, e.PutTopic(e, e.addr, rocketmq.TopicConfig{Name: topic, ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, e.DeleteTopic(ctx, e.addr, topic))
		must(t, e.cluster.DeleteRoute(ctx, topic))
	})
	return topic
}

// group creates a group that is gone after the test.
func (e *env) group(t *testing.T) string {
	t.Helper()
	group := name()
	must(t, e.PutGroup(e, e.addr, rocketmq.NewGroupConfig(group)))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, e.DeleteGroup(ctx, e.addr, group, true))
	})
	return group
}

func (e *env) queue(topic string, id int) rocketmq.Queue {
	return rocketmq.Queue{Topic: topic, Broker: e.broker, ID: id}
}

// send stores one message for each body and returns the first's place.
func (e *env) send(t *testing.T, q rocketmq.Queue, bodies ...string) rocketmq.SendResult {
	t.Helper()
	var messages []rocketmq.OutMessage
	for _, body := range bodies {
		messages = append(messages, rocketmq.OutMessage{Body: []byte(body)})
	}
	result, err := e.Send(e, e.addr, rocketmq.SendRequest{Group: "conformance", Queue: q, Messages: messages})
	must(t, err)
	return result
}

// join makes the client a member of the group.
func join(t *testing.T, e *env, c *rocketmq.Client, group, id string, topics ...string) {
	t.Helper()
	var subscriptions []rocketmq.Subscription
	for _, topic := range append(topics, rocketmq.RetryTopic(group)) {
		subscriptions = append(subscriptions, rocketmq.Subscription{Topic: topic, Version: 1})
	}
	must(t, c.Heartbeat(e, e.addr, rocketmq.Heartbeat{ClientID: id, Consumers: []rocketmq.Membership{{Group: group, Subscriptions: subscriptions}}}))
}

// pull pulls until messages come.
func (e *env) pull(t *testing.T, p rocketmq.PullRequest) []rocketmq.Message {
	t.Helper()
	p.MaxMessages, p.Wait = 32, time.Second
	var messages []rocketmq.Message
	eventually(t, "messages in "+p.Queue.String(), func() bool {
		r, err := e.Pull(e, e.addr, p)
		must(t, err)
		messages = r.Messages
		return len(messages) > 0
	})
	return messages
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", doing, err, want)
	}
}

// wantCode checks for a refusal with one code.
func wantCode(t *testing.T, doing string, err error, want rocketmq.Code) {
	t.Helper()
	var refusal *rocketmq.Error
	if !errors.As(err, &refusal) || refusal.Code != want {
		t.Errorf("%s: got %v, want code %v", doing, err, want)
	}
}

// eventually waits for what a broker does on its own.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %s after %v", what, patience)
		}
	}
}
