// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) { broker.Main(m) }

// patience bounds the wait for a message that must come: a rebalance takes 20 s, and the machine may be busy.
const patience = 2 * time.Minute

// shop is a broker with an ACL and what declares topics and groups at it.
type shop struct {
	*rocketmq.Cluster
	user   rocketmq.User
	client *remoting.Client
}

func newShop(t *testing.T) shop {
	user := rocketmq.User{Name: "shop", Password: "s3cret-key"}
	client := remoting.NewClient(remoting.Config{Credentials: func() remoting.Credentials {
		return remoting.Credentials{AccessKey: user.Name, SecretKey: user.Password}
	}})
	t.Cleanup(client.Close)
	return shop{broker.Own(t, rocketmq.Options{ACL: &user, EnablePropertyFilter: true}), user, client}
}

// declare creates a topic with one queue and a group that may read it.
func (s shop) declare(t *testing.T) Client {
	t.Helper()
	c := Client{NameServer: s.NameServer(), Group: broker.Name(t, "group"), Topic: broker.Name(t, "Orders")}
	addr := s.BrokerAddr(rocketmq.DefaultBroker)
	err := s.client.PutTopic(t.Context(), addr, remoting.TopicConfig{
		Name: c.Topic, ReadQueues: 1, WriteQueues: 1, Perm: remoting.PermRead | remoting.PermWrite,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client.PutGroup(t.Context(), addr, remoting.NewGroupConfig(c.Group)); err != nil {
		t.Fatal(err)
	}
	return c.As(s.user)
}

// next returns the next n messages.
func next(t *testing.T, from <-chan Message, n int) []Message {
	t.Helper()
	var got []Message
	for timeout := time.After(patience); len(got) < n; {
		select {
		case m, ok := <-from:
			if !ok {
				t.Fatalf("the consumer ended after %d messages", len(got))
			}
			got = append(got, m)
		case <-timeout:
			t.Fatalf("got %d of %d messages in %s", len(got), n, patience)
		}
	}
	return got
}

func TestTheWitnessesSeeWhatGoesThroughABroker(t *testing.T) {
	s := newShop(t)

	t.Run("a message arrives as it was sent, compressed or not", func(t *testing.T) {
		client := s.declare(t)
		large := bytes.Repeat([]byte("order "), 2000)
		for _, compression := range []string{"ZLIB", "LZ4", "ZSTD"} {
			Produce(t, ProduceOptions{Client: client, Compression: compression}, OutMessage{
				Keys: compression, Tags: "paid", Body: large, Properties: map[string]string{"traceparent": "00-1"},
			})
		}
		stored := Produce(t, ProduceOptions{Client: client}, OutMessage{Keys: "plain", Body: []byte{0, 0xff}})
		got := map[string]Message{}
		for _, m := range next(t, Consume(t, ConsumeOptions{Client: client}), 4) {
			got[m.Keys] = m
		}
		for _, compression := range []string{"ZLIB", "LZ4", "ZSTD"} {
			m := got[compression]
			if !bytes.Equal(m.Body, large) || m.Tags != "paid" || m.Properties["traceparent"] != "00-1" || m.Topic != client.Topic {
				t.Errorf("%s: got a body of %d bytes, tags %q, topic %q, properties %v", compression, len(m.Body), m.Tags, m.Topic, m.Properties)
			}
		}
		m := got["plain"]
		if seen := (Stored{m.ID, "SEND_OK", rocketmq.DefaultBroker, m.QueueID, m.QueueOffset}); seen != stored[0] {
			t.Errorf("the producer was told %+v, the consumer got %+v", stored[0], seen)
		}
		if !bytes.Equal(m.Body, []byte{0, 0xff}) {
			t.Errorf("got the body %x, want 00ff", m.Body)
		}
	})

	t.Run("an orderly consumer gets a failed message again before the next one", func(t *testing.T) {
		client := s.declare(t)
		Produce(t, ProduceOptions{Client: client},
			OutMessage{Keys: "1", Body: []byte("a"), ShardingKey: "order"}, OutMessage{Keys: "2", Body: []byte("b"), ShardingKey: "order"})
		var got []string
		for _, m := range next(t, Consume(t, ConsumeOptions{Client: client, Orderly: true, Failures: 1}), 4) {
			got = append(got, fmt.Sprintf("%s/%d", m.Keys, m.ReconsumeTimes))
		}
		if diff := cmp.Diff([]string{"1/0", "1/1", "2/0", "2/1"}, got); diff != "" {
			t.Errorf("key/reconsumeTimes (-want +got):\n%s", diff)
		}
	})

	t.Run("a filter selects, and what is delayed can be read no earlier", func(t *testing.T) {
		client := s.declare(t)
		delays := map[string]time.Duration{"late": 4 * time.Second, "level": time.Second}
		messages := Consume(t, ConsumeOptions{Client: client, SQL: "TAGS = 'paid' AND amount > 6"})
		Produce(t, ProduceOptions{Client: client},
			OutMessage{Keys: "refund", Tags: "refunded", Body: []byte("x"), Properties: map[string]string{"amount": "5"}},
			OutMessage{Keys: "late", Tags: "paid", Body: []byte("x"), Properties: map[string]string{"amount": "50"}, Delay: delays["late"]},
			OutMessage{Keys: "level", Tags: "paid", Body: []byte("x"), Properties: map[string]string{"amount": "7"}, DelayLevel: 1})
		for _, m := range next(t, messages, len(delays)) { // in any order: they may lie in different queues
			delay, selected := delays[m.Keys]
			if waited := time.Duration(m.StoredMillis-m.BornMillis) * time.Millisecond; !selected || waited < delay {
				t.Errorf("%q could be read %s after it was sent, want one of %v", m.Keys, waited, delays)
			}
			delete(delays, m.Keys)
		}
	})

	t.Run("mqadmin sees the topic", func(t *testing.T) {
		client := s.declare(t)
		MQAdmin(t, s, rocketmq.DefaultBroker, "topicRoute", "-t", client.Topic)
	})

	t.Run("a producer with a wrong key is refused", func(t *testing.T) {
		client := s.declare(t)
		cmd := command(t.Context(), t, "Producer", ProduceOptions{Client: client.As(rocketmq.User{Name: s.user.Name, Password: "wrong"})})
		var said bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(`{"body":"eA=="}`), &said
		if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "CODE: 16") {
			t.Errorf("got the error %v, want an exit that names code 16:\n%s", err, said.String())
		}
	})
}
