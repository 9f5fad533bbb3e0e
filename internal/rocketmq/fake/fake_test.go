// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/conformance"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	cred := rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "secret"}
	conformance.Run(t, func(t *testing.T) conformance.Target {
		return conformance.Target{NameServer: fake.Start(t, fake.Config{Credentials: cred}).NameServer(), Credentials: cred}
	})
}

func TestConformanceWithAFilter(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Target {
		return conformance.Target{NameServer: fake.Start(t, fake.Config{Properties: map[string]string{rocketmq.PropertyFilter: "true"}}).NameServer()}
	})
}

func TestConformanceOfTransactions(t *testing.T) {
	conformance.RunTransactions(t, func(t *testing.T) conformance.Target {
		mq := fake.Start(t, fake.Config{TransactionTimeout: time.Second, CheckInterval: time.Second})
		return conformance.Target{NameServer: mq.NameServer()}
	})
}

// bubble runs a test in a synctest bubble with a cluster in memory, in which a
// topic "orders" of one queue and a group "push" exist.
func bubble(t *testing.T, cfg fake.Config, test func(*testing.T, *fake.Cluster, *rocketmq.Client)) {
	synctest.Test(t, func(t *testing.T) {
		mq := fake.StartInMemory(t, cfg)
		c := rocketmq.NewClient(rocketmq.Config{DialContext: mq.DialContext})
		t.Cleanup(c.Close)
		for _, b := range mq.Brokers() {
			must(t, c.PutTopic(t.Context(), b.Addr(), rocketmq.TopicConfig{Name: "orders", ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
			must(t, c.PutGroup(t.Context(), b.Addr(), rocketmq.NewGroupConfig("push")))
		}
		test(t, mq, c)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func queueOf(b *fake.Broker) rocketmq.Queue {
	return rocketmq.Queue{Topic: "orders", Broker: b.Name()}
}

func send(t *testing.T, c *rocketmq.Client, b *fake.Broker, body string) {
	t.Helper()
	_, err := c.Send(t.Context(), b.Addr(), rocketmq.SendRequest{Group: "p", Queue: queueOf(b), Messages: []rocketmq.OutMessage{{Body: []byte(body)}}})
	must(t, err)
}

func TestALockExpires(t *testing.T) {
	bubble(t, fake.Config{}, func(t *testing.T, mq *fake.Cluster, c *rocketmq.Client) {
		b := mq.Broker()
		lock := func(owner string) bool {
			held, err := c.Lock(t.Context(), b.Addr(), "push", owner, []rocketmq.Queue{queueOf(b)})
			must(t, err)
			return len(held) == 1
		}
		if !lock("x") || b.LockedBy("push", queueOf(b)) != "x" {
			t.Error("a free queue is not given")
		}
		time.Sleep(59 * time.Second)
		if lock("y") {
			t.Error("taken from its owner after 59 s")
		}
		time.Sleep(time.Second)
		if b.LockedBy("push", queueOf(b)) != "" || !lock("y") {
			t.Error("not free after 60 s")
		}
	})
}

func TestARetryComesAfterItsLevel(t *testing.T) {
	bubble(t, fake.Config{}, func(t *testing.T, mq *fake.Cluster, c *rocketmq.Client) {
		b := mq.Broker()
		send(t, c, b, "again")
		r, err := c.Pull(t.Context(), b.Addr(), rocketmq.PullRequest{Group: "push", Queue: queueOf(b), MaxMessages: 1})
		must(t, err)
		must(t, c.SendBack(t.Context(), b.Addr(), rocketmq.SendBackRequest{Group: "push", Message: &r.Messages[0], DelayLevel: 5, MaxReconsume: 3}))
		sent := time.Now()
		r, err = c.Pull(t.Context(), b.Addr(), rocketmq.PullRequest{
			Group: "push", Queue: rocketmq.Queue{Topic: rocketmq.RetryTopic("push"), Broker: b.Name()}, MaxMessages: 1, Wait: 2 * time.Minute,
		})
		must(t, err)
		if took := time.Since(sent); r.Status != rocketmq.Found || took != time.Minute {
			t.Errorf("level 5 of 1 m came after %v: %+v", took, r)
		}
	})
}

func TestARestartKeepsMessagesAndForgetsLocksAndMembers(t *testing.T) {
	bubble(t, fake.Config{}, func(t *testing.T, mq *fake.Cluster, c *rocketmq.Client) {
		b := mq.Broker()
		send(t, c, b, "kept")
		must(t, c.Heartbeat(t.Context(), b.Addr(), rocketmq.Heartbeat{ClientID: "m", Consumers: []rocketmq.Membership{{Group: "push"}}}))
		_, err := c.Lock(t.Context(), b.Addr(), "push", "m", []rocketmq.Queue{queueOf(b)})
		must(t, err)
		b.Stop()
		if _, err := c.MaxOffset(t.Context(), b.Addr(), queueOf(b)); !errors.Is(err, rocketmq.ErrUnreachable) {
			t.Errorf("a stopped broker: %v", err)
		}
		names, err := rocketmq.NewCluster(c, []string{mq.NameServer()}, nil)
		must(t, err)
		if _, err := names.Route(t.Context(), "orders"); !errors.Is(err, rocketmq.ErrNotFound) {
			t.Errorf("the route while its broker is stopped: %v", err)
		}
		must(t, b.Start())
		time.Sleep(3 * time.Second) // the client lets a dead address rest
		ids, err := c.Members(t.Context(), b.Addr(), "push")
		must(t, err)
		if n, err := c.MaxOffset(t.Context(), b.Addr(), queueOf(b)); n != 1 || err != nil || len(ids) != 0 || b.LockedBy("push", queueOf(b)) != "" {
			t.Errorf("after the restart: %d messages, %v, members %v, locked by %q", n, err, ids, b.LockedBy("push", queueOf(b)))
		}
	})
}

func TestBrokersHaveMembersOfTheirOwn(t *testing.T) {
	bubble(t, fake.Config{Brokers: 2}, func(t *testing.T, mq *fake.Cluster, c *rocketmq.Client) {
		first, second := mq.Brokers()[0], mq.Brokers()[1]
		must(t, c.Heartbeat(t.Context(), first.Addr(), rocketmq.Heartbeat{ClientID: "m", Consumers: []rocketmq.Membership{{Group: "push"}}}))
		for b, want := range map[*fake.Broker][]string{first: {"m"}, second: nil} {
			ids, err := c.Members(t.Context(), b.Addr(), "push")
			if err != nil || !slices.Equal(ids, want) {
				t.Errorf("%s lists %v, %v", b.Name(), ids, err)
			}
		}
		mq.Cut(first.Name())
		synctest.Wait()
		if ids, err := c.Members(t.Context(), first.Addr(), "push"); err != nil || len(ids) != 0 {
			t.Errorf("after a cut: %v, %v", ids, err)
		}
		names, err := rocketmq.NewCluster(c, []string{mq.NameServer()}, nil)
		must(t, err)
		route, err := names.Route(t.Context(), "orders")
		must(t, err)
		if got := route.Readable("orders"); !slices.Equal(got, []rocketmq.Queue{queueOf(first), queueOf(second)}) {
			t.Errorf("the route has %v", got)
		}
	})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		says   string
		fault  fake.Fault
		want   error
		took   time.Duration
		stored int64 // whether the message is there although its sender does not know
	}{
		{"a code", fake.Fault{Code: rocketmq.CodeSystemBusy}, rocketmq.ErrBusy, 0, 0},
		{"a code after the fact", fake.Fault{Code: rocketmq.CodeSystemBusy, Late: true}, rocketmq.ErrBusy, 0, 1},
		{"a delay", fake.Fault{Delay: 2 * time.Second}, nil, 2 * time.Second, 1},
		{"no answer", fake.Fault{Hang: true}, context.DeadlineExceeded, 5 * time.Second, 0},
		{"a lost answer", fake.Fault{Hang: true, Late: true}, context.DeadlineExceeded, 5 * time.Second, 1},
		{"a cut", fake.Fault{Cut: true, Late: true}, rocketmq.ErrUnreachable, 0, 1},
		{"another broker's", fake.Fault{Host: "broker-z", Hang: true}, nil, 0, 1},
	} {
		t.Run(c.says, func(t *testing.T) {
			bubble(t, fake.Config{}, func(t *testing.T, mq *fake.Cluster, client *rocketmq.Client) {
				c.fault.Op, c.fault.Times = rocketmq.OpSend, 1
				mq.Inject(c.fault)
				b := mq.Broker()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				_, err := client.Send(ctx, b.Addr(), rocketmq.SendRequest{Queue: queueOf(b), Messages: []rocketmq.OutMessage{{Body: []byte("x")}}})
				if !errors.Is(err, c.want) || time.Since(began) != c.took {
					t.Errorf("got %v after %v", err, time.Since(began))
				}
				if n, err := client.MaxOffset(t.Context(), b.Addr(), queueOf(b)); n != c.stored || err != nil {
					t.Errorf("%d messages are stored, %v", n, err)
				}
				mq.Heal()
				send(t, client, b, "y")
				if n := len(mq.Calls(rocketmq.OpSend)); n != 2 {
					t.Errorf("%d calls are on record", n)
				}
			})
		})
	}
}
