// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"errors"
	"testing"
	"time"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	sender "github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// librarySend is SEND_MESSAGE, as the official client sends it. The fake serves it by its faults only.
const librarySend remoting.Op = 10

// creates makes a topic of one queue on a fake broker.
func creates(t *testing.T, mq *fake.Cluster, topic string) {
	t.Helper()
	client := remoting.NewClient(remoting.Config{})
	defer client.Close()
	err := client.PutTopic(t.Context(), mq.Broker().Addr(), remoting.TopicConfig{Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: remoting.PermRead | remoting.PermWrite})
	if err != nil {
		t.Error(err)
	}
}

func bindingTo(mq *fake.Cluster, timeout time.Duration) Binding {
	return Binding{NameServers: []string{mq.NameServer()}, Topic: "orders", Group: "orders-producers", Mode: Async, SendTimeout: timeout}
}

func TestAFailedAsyncSendIsTriedAgainAsOftenAsTheBindingSays(t *testing.T) {
	plain, inOrder := Message{Body: []byte("x")}, Message{OrderKey: "k", Body: []byte("x")}
	for sentence, c := range map[string]struct {
		msg     Message
		retries int
		fault   fake.Fault
		sends   int
	}{
		"by default not at all":                  {plain, 0, fake.Fault{Code: remoting.CodeSystemError}, 1},
		"as often as declared":                   {plain, 2, fake.Fault{Code: remoting.CodeSystemError}, 3},
		"never with others of its key behind it": {inOrder, 2, fake.Fault{Code: remoting.CodeSystemError}, 1},
		"never what is refused for good":         {plain, 2, fake.Fault{Code: remoting.CodeMessageIllegal}, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			mq := fake.Start(t, fake.Config{})
			creates(t, mq, "orders")
			b := bindingTo(mq, time.Minute)
			b.AsyncRetries = c.retries
			p := open(t, b)
			if err := p.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.fault.Op = librarySend
			mq.Inject(c.fault)
			ends := make(chan error, 9)
			err := p.SendAsync(t.Context(), c.msg, Callback{OnSuccess: func(Receipt) { ends <- nil }, OnError: func(err error) { ends <- err }})
			if err != nil {
				t.Fatal(err)
			}
			if sendErr := new(SendError); !errors.As(<-ends, &sendErr) || sendErr.Fate != sender.Refused || sendErr.Code != int(c.fault.Code) {
				t.Errorf("told %v, want the broker's refusal", sendErr)
			}
			p.Close()
			if n := len(mq.Calls(librarySend)); n != c.sends || len(ends) != 0 {
				t.Errorf("sent %d times, want %d; told %d times more", n, c.sends, len(ends))
			}
		})
	}
}

// TestSendLocatesItsTopicWithinItsTimeout has a topic that is located late, and a broker that then gives no answer.
func TestSendLocatesItsTopicWithinItsTimeout(t *testing.T) {
	const timeout, late = 15 * time.Second, 5 * time.Second // a Send that gives its timeout anew takes as much longer
	mq := fake.Start(t, fake.Config{})
	mq.Inject(fake.Fault{Op: librarySend, Hang: true})
	p := open(t, bindingTo(mq, timeout))
	begin := time.Now()
	located := make(chan struct{})
	time.AfterFunc(late, func() { creates(t, mq, "orders"); close(located) })
	_, err := p.Send(t.Context(), Message{Body: []byte("x")})
	took := time.Since(begin)
	<-located
	if sendErr := new(SendError); !errors.As(err, &sendErr) || sendErr.Fate != sender.Unknown || !errors.Is(err, sender.ErrTimeout) {
		t.Errorf("Send: %v, want no answer, after the topic was located", err)
	}
	if took > timeout+late {
		t.Errorf("Send took %v, want %v and a short slack", took, timeout)
	}
}
