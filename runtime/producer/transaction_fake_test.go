// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	sender "github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// TestTransactionsGoOnWhileABrokerIsAway starts a producer while one of two brokers knows it not: nothing is sent there until it does.
func TestTransactionsGoOnWhileABrokerIsAway(t *testing.T) {
	mq, b := impatient(t, time.Minute)
	away := mq.Brokers()[1].Name()
	mq.Inject(fake.Fault{Op: remoting.OpHeartbeat, Host: away, Code: remoting.CodeSystemError, Remark: "starting"})
	p := transactional(t, b, newShopDatabase().check)
	sentTo := func() (hosts []string) {
		for range 2 * len(mq.Brokers()) {
			if settled, err := p.Send(t.Context(), Message{Body: []byte("x")}, always(Commit)); err != nil || !settled.Told {
				t.Fatalf("Send: %+v, %v", settled, err)
			}
		}
		for _, call := range mq.Calls(remoting.OpSend) {
			hosts = append(hosts, call.Host)
		}
		return hosts
	}
	if hosts := sentTo(); slices.Contains(hosts, away) {
		t.Errorf("sent to %v, want nothing to %s, which cannot ask", hosts, away)
	}
	mq.Heal()
	within(t, time.Minute, "the other broker is sent messages too", func() bool { return slices.Contains(sentTo(), away) })
}

// impatient is two fake brokers with a topic "orders" that ask at once and often, and a binding to it.
func impatient(t *testing.T, timeout time.Duration) (*fake.Cluster, Binding) {
	t.Helper()
	mq := fake.Start(t, fake.Config{Brokers: 2, TransactionTimeout: time.Millisecond, CheckInterval: 10 * time.Millisecond})
	client := remoting.NewClient(remoting.Config{})
	defer client.Close()
	topic := remoting.TopicConfig{Name: "orders", ReadQueues: 1, WriteQueues: 1, Perm: remoting.PermRead | remoting.PermWrite}
	for _, broker := range mq.Brokers() {
		if err := client.PutTopic(t.Context(), broker.Addr(), topic); err != nil {
			t.Fatal(err)
		}
	}
	return mq, Binding{NameServers: []string{mq.NameServer()}, Topic: topic.Name, Group: "orders-producers", Mode: Sync, SendTimeout: timeout}
}

// leaveUndecided stores half messages as a process that died has left them.
func leaveUndecided(t *testing.T, mq *fake.Cluster, b Binding, ids ...string) {
	t.Helper()
	client := remoting.NewClient(remoting.Config{})
	defer client.Close()
	for _, id := range ids {
		_, err := client.SendHalf(t.Context(), mq.Broker().Addr(), remoting.SendRequest{
			Group: b.Group, Queue: remoting.Queue{Topic: b.Topic, Broker: mq.Broker().Name()},
			Messages: []remoting.OutMessage{{Body: []byte("x"), Properties: remoting.Fields{
				{Name: remoting.PropertyUniqueKey, Value: id}, {Name: remoting.PropertyTransaction, Value: "true"},
				{Name: remoting.PropertyProducerGroup, Value: b.Group},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProducerThatClosesIsAskedUntilItsLastTransactionEnds(t *testing.T) {
	mq, b := impatient(t, time.Minute)
	checked := make(chan string)
	p := transactional(t, b, func(ctx context.Context, msg Message) Decision {
		select {
		case checked <- msg.ID:
		case <-ctx.Done():
		}
		return Rollback
	})
	began, goOn := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		settled, err := p.Send(t.Context(), Message{ID: "slow", Body: []byte("x")}, func(context.Context, string) (Decision, error) {
			close(began)
			<-goOn
			return Commit, nil
		})
		if err != nil || !settled.Told {
			t.Errorf("the transaction that was under way ended with %+v, %v", settled, err)
		}
	})
	<-began
	running.Go(p.Close)
	within(t, time.Minute, "it takes no more", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that it would not get far
		_, err := p.Send(ctx, Message{ID: "late", Body: []byte("x")}, always(Rollback))
		return errors.Is(err, sender.ErrClosed)
	})
	leaveUndecided(t, mq, b, "of-a-process-that-died")
	for id := range checked {
		if id == "of-a-process-that-died" {
			break
		}
	}
	// It is a member still, also on a connection that is new.
	before := len(mq.Calls(remoting.OpHeartbeat))
	mq.Cut(mq.Broker().Name())
	within(t, time.Minute, "it has joined again", func() bool { return len(mq.Calls(remoting.OpHeartbeat)) > before })
	close(goOn)
	go func() {
		for range checked { // what else it is asked
		}
	}()
	running.Wait()
	close(checked)
	if left := mq.Broker().Producers(b.Group); len(left) != 0 {
		t.Errorf("%v are members after Close", left)
	}
}

// TestTransactionsEndWithoutTheBrokersAnswer has a broker that takes requests and gives no answer, or one that says it may lose the message.
func TestTransactionsEndWithoutTheBrokersAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		fault fake.Fault
		cause error
	}{
		"no answer":                      {fake.Fault{Op: remoting.OpSend, Hang: true}, context.DeadlineExceeded},
		"stored, and perhaps not safely": {fake.Fault{Op: remoting.OpSend, Late: true, Code: remoting.CodeFlushDiskTimeout}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			mq, b := impatient(t, 200*time.Millisecond)
			p := transactional(t, b, newShopDatabase().check)
			mq.Inject(test.fault)
			_, err := p.Send(t.Context(), Message{Body: []byte("x")}, func(context.Context, string) (Decision, error) {
				t.Error("the local transaction ran")
				return Commit, nil
			})
			sendErr := new(SendError)
			if !errors.As(err, &sendErr) || sendErr.Fate != sender.Unknown || test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("Send: %v, want a SendError: unknown", err)
			}
		})
	}
	t.Run("no answer to the decision", func(t *testing.T) {
		mq, b := impatient(t, 2*time.Second) // the message itself is to be confirmed within it
		p := transactional(t, b, newShopDatabase().check)
		mq.Inject(fake.Fault{Op: remoting.OpEndTransaction, Hang: true})
		settled, err := p.Send(t.Context(), Message{ID: "1", Body: []byte("x")}, always(Commit))
		if want := (Settled{ID: "1", Decision: Commit}); err != nil || settled != want {
			t.Errorf("Send: %+v, %v; want %+v", settled, err, want)
		}
	})
}

// TestADecisionThatCameLateIsTold has a database that answers when the time to ask it is over.
func TestADecisionThatCameLateIsTold(t *testing.T) {
	mq, b := impatient(t, 200*time.Millisecond)
	transactional(t, b, func(ctx context.Context, _ Message) Decision {
		<-ctx.Done()
		return Commit
	})
	leaveUndecided(t, mq, b, "of-a-process-that-died")
	within(t, time.Minute, "the broker is told", func() bool { return len(mq.Calls(remoting.OpEndTransaction)) > 0 })
}

// TestQuestionsUnderWayAreBounded has a database that does not answer while a broker asks about many transactions.
func TestQuestionsUnderWayAreBounded(t *testing.T) {
	var asked, under, most atomic.Int64
	answer := make(chan struct{})
	p, err := NewTransactionProducer(TransactionConfig{
		Binding: deadBinding(time.Minute), Logger: slog.New(slog.DiscardHandler), Check: func(context.Context, Message) Decision {
			asked.Add(1)
			if n := under.Add(1); n > maxChecks {
				most.Store(n)
			}
			defer under.Add(-1)
			<-answer
			return Undecided
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	question := remoting.AppendMessage(nil, &remoting.Message{Topic: "T", Body: []byte("x")})
	for range maxAsking + maxChecks {
		p.asked(&remoting.Request{Command: &remoting.Command{Code: int(remoting.OpCheckTransaction), Body: question, Fields: remoting.Fields{
			{Name: "tranStateTableOffset", Value: "0"}, {Name: "commitLogOffset", Value: "0"},
		}}})
	}
	close(answer)
	p.Close() // waits for those under way
	if asked.Load() != maxAsking || most.Load() > 0 {
		t.Errorf("the database was asked %d times, %d at once; want %d, at most %d", asked.Load(), most.Load(), maxAsking, maxChecks)
	}
}

func TestAQuestionWhoseTurnDoesNotComeIsGivenUp(t *testing.T) {
	p := &TransactionProducer{
		ctx: t.Context(), checks: make(chan struct{}), // others have all places
		cfg: TransactionConfig{Binding: Binding{SendTimeout: time.Millisecond}, Check: func(context.Context, Message) Decision { return Commit }},
	}
	if d := p.check(Message{}); d != Undecided {
		t.Errorf("it is decided: %v", d)
	}
}

func TestWhatARelayIsToldIsBounded(t *testing.T) {
	relay := NewRelay(RelayConfig{})
	for range maxSent + 1 {
		relay.Sent("id")
	}
	if len(relay.sentByID) != maxSent {
		t.Errorf("%d messages are remembered, want %d", len(relay.sentByID), maxSent)
	}
}
