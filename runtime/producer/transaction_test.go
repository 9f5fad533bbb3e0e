// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	sender "github.com/orderflow-dev/orderflow/runtime/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// shopDatabase remembers what became of local transactions, and how often it was asked.
type shopDatabase struct {
	mu      sync.Mutex
	decided map[string][]Decision // answers in turn; the last one stays
	asked   map[string]int
	bodies  map[string]string
}

func newShopDatabase() *shopDatabase {
	return &shopDatabase{decided: map[string][]Decision{}, asked: map[string]int{}, bodies: map[string]string{}}
}

func (d *shopDatabase) decide(id string, answers ...Decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decided[id] = answers
}

func (d *shopDatabase) check(_ context.Context, msg Message) Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[msg.ID]++
	d.bodies[msg.ID] = string(msg.Body)
	answers := d.decided[msg.ID]
	if len(answers) == 0 {
		return Undecided
	}
	if len(answers) > 1 {
		d.decided[msg.ID] = answers[1:]
	}
	return answers[0]
}

func (d *shopDatabase) askedOf(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[id]
}

func (d *shopDatabase) bodyOf(id string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bodies[id]
}

func transactional(t *testing.T, b Binding, check func(context.Context, Message) Decision) *TransactionProducer {
	t.Helper()
	p, err := NewTransactionProducer(TransactionConfig{Binding: b, Check: check, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}) // not the test's: its goroutines outlive tests
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func always(d Decision) func(context.Context, string) (Decision, error) {
	return func(context.Context, string) (Decision, error) { return d, nil }
}

// within polls until f is true.
func within(t *testing.T, patience time.Duration, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestTransactions has a broker of its own: one that asks early, and whose thread for transactions spins once there was one.
func TestTransactions(t *testing.T) {
	mq := broker.Own(t, rocketmq.Options{Properties: map[string]string{"transactionCheckInterval": "1000", "transactionTimeOut": "1000"}})
	// It also asks about what it was told a moment ago, as it notes that down every 3 s only. What is committed by two answers is visible twice, under one id.
	binding := func(t *testing.T) Binding {
		return Binding{
			NameServers: []string{mq.NameServer()}, Topic: rocketmqtest.NewTopic(t, mq), Group: broker.Name(t, "producers"), Mode: Sync, SendTimeout: 10 * time.Second,
		}
	}
	visible := func(t *testing.T, b Binding) (ids []string) {
		t.Helper()
		for _, m := range rocketmqtest.Messages(t, mq, b.Topic) {
			ids = append(ids, m.Property("UNIQ_KEY"))
		}
		slices.Sort(ids)
		return slices.Compact(ids)
	}
	t.Run("what committed is visible, what rolled back never, what is undecided is asked for again", func(t *testing.T) {
		b, db := binding(t), newShopDatabase()
		p := transactional(t, b, db.check)
		db.decide("undecided", Undecided, Undecided, Commit)
		db.decide("panics", Rollback)
		for id, decision := range map[string]Decision{"committed": Commit, "rolled-back": Rollback, "undecided": Undecided} {
			settled, err := p.Send(t.Context(), Message{ID: id, Keys: []string{"k"}, Tag: "t", Properties: map[string]string{"a": "b"}, Body: []byte("of " + id)}, always(decision))
			if want := (Settled{ID: id, Decision: decision, Told: decision != Undecided}); err != nil || settled != want {
				t.Errorf("Send: %+v, %v; want %+v", settled, err, want)
			}
		}
		failed := errors.New("stock is out")
		if _, err := p.Send(t.Context(), Message{ID: "failed", Body: []byte("x")}, func(context.Context, string) (Decision, error) { return Rollback, failed }); !errors.Is(err, failed) {
			t.Errorf("Send: %v, want the local transaction's own error", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of the local transaction was swallowed")
				}
			}()
			_, err := p.Send(t.Context(), Message{ID: "panics", Body: []byte("x")}, func(context.Context, string) (Decision, error) { panic("in the middle") })
			t.Error(err)
		}()
		within(t, time.Minute, "undecided was committed, panics was asked for", func() bool { return len(visible(t, b)) >= 2 && db.askedOf("panics") > 0 })
		if got := visible(t, b); !slices.Equal(got, []string{"committed", "undecided"}) {
			t.Errorf("visible %v", got)
		}
		if n := db.askedOf("undecided"); n < 3 {
			t.Errorf("asked %d times for what was undecided twice, want 3", n)
		}
		if body := db.bodyOf("undecided"); body != "of undecided" {
			t.Errorf("asked about the body %q", body)
		}
		m := rocketmqtest.Messages(t, mq, b.Topic)[0]
		if m.Property("KEYS") != "k" || m.Property("TAGS") != "t" || m.Property("a") != "b" || !strings.HasPrefix(string(m.Body), "of ") {
			t.Errorf("a committed message lost something: %v", m)
		}
	})
	t.Run("a second process decides what the first one died on", func(t *testing.T) {
		b, db := binding(t), newShopDatabase()
		db.decide("committed", Commit)
		db.decide("rolled-back", Rollback)
		for _, id := range []string{"committed", "rolled-back"} {
			dieInTransaction(t, b, id)
		}
		transactional(t, b, db.check)
		within(t, time.Minute, "both were asked for", func() bool { return db.askedOf("committed") > 0 && db.askedOf("rolled-back") > 0 })
		within(t, time.Minute, "the committed one is visible", func() bool { return len(visible(t, b)) > 0 })
		if got := visible(t, b); !slices.Equal(got, []string{"committed"}) {
			t.Errorf("visible %v, want the committed one alone", got)
		}
	})
	t.Run("neither order nor delay, and nothing without a broker", func(t *testing.T) {
		p := transactional(t, binding(t), newShopDatabase().check)
		never := func(context.Context, string) (Decision, error) {
			t.Error("the local transaction ran")
			return Commit, nil
		}
		for _, msg := range []Message{{OrderKey: "k", Body: []byte("x")}, {Delay: Delay{Level: 1}, Body: []byte("x")}, {}} {
			if _, err := p.Send(t.Context(), msg, never); !errors.Is(err, sender.ErrInvalidMessage) {
				t.Errorf("Send: %v, want ErrInvalidMessage", err)
			}
		}
		p.Close()
		if _, err := p.Send(t.Context(), Message{Body: []byte("x")}, never); !errors.Is(err, sender.ErrClosed) {
			t.Errorf("Send after Close: %v, want ErrClosed", err)
		}
		dead, err := NewTransactionProducer(TransactionConfig{Binding: deadBinding(time.Second), Check: newShopDatabase().check, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer dead.Close()
		if _, err := dead.Send(t.Context(), Message{Body: []byte("x")}, never); !errors.Is(err, sender.ErrNotReady) {
			t.Errorf("Send without a broker: %v, want ErrNotReady", err)
		}
	})
}

// Where a process that is to die in a transaction finds what it needs.
const dieName, dieTopic, dieGroup, dieID = "TEST_DIE_NAMESRV", "TEST_DIE_TOPIC", "TEST_DIE_GROUP", "TEST_DIE_ID"

// dieInTransaction runs this test binary as an order system that is killed between storing the half message and deciding.
func dieInTransaction(t *testing.T, b Binding, id string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessThatDiesInATransaction$")
	cmd.Env = append(os.Environ(), dieName+"="+b.NameServers[0], dieTopic+"="+b.Topic, dieGroup+"="+b.Group, dieID+"="+id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err == nil || !slices.Contains(said, "stored "+id) {
		t.Fatalf("the process ended with %v and said %q; want it killed after it stored %s", err, said, id)
	}
}

func TestProcessThatDiesInATransaction(t *testing.T) {
	if os.Getenv(dieName) == "" {
		t.Skip("run by TestTransactions, in a process of its own")
	}
	p := transactional(t, Binding{
		NameServers: []string{os.Getenv(dieName)}, Topic: os.Getenv(dieTopic), Group: os.Getenv(dieGroup), SendTimeout: time.Minute,
	}, func(context.Context, Message) Decision { return Undecided })
	_, err := p.Send(t.Context(), Message{ID: os.Getenv(dieID), Body: []byte("x")}, func(_ context.Context, id string) (Decision, error) {
		if _, err := fmt.Fprintln(os.Stdout, "stored "+id); err != nil {
			return Undecided, err
		}
		return Undecided, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	t.Error("lived on: ", err)
}
