// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// Decision is what became of a local transaction.
type Decision int

const (
	// Undecided is not known yet: the broker asks again.
	Undecided Decision = iota
	// Commit makes the message visible.
	Commit
	// Rollback drops it.
	Rollback
)

// TransactionConfig is what a TransactionProducer needs.
type TransactionConfig struct {
	Binding Binding
	// Check says what became of a message's local transaction, when the broker was not told: by what the database says, as the
	// transaction may have run in another process of the producer group, which died. A Check that finds no trace of it answers
	// Undecided as long as the transaction may still be under way, and Rollback afterwards. Its ctx ends after the send timeout;
	// a panic counts as Undecided. At most 16 run at once; other questions wait, for the send timeout.
	Check func(ctx context.Context, msg Message) Decision
	// Tracer is as in Config.
	Tracer trace.TracerProvider
	// Logger defaults to slog's default logger. No message content is ever logged.
	Logger *slog.Logger
}

// TransactionProducer sends messages that become visible when a local transaction committed. It is safe for concurrent use.
type TransactionProducer struct {
	cfg     TransactionConfig
	client  *remoting.Client
	members *registration
	tracing *tracing
	ids     *rocketmq.IDs
	next    atomic.Uint64

	ctx       context.Context //nolint:containedctx // ends with the producer, which is what it is for
	stop      context.CancelFunc
	asking    chan struct{} // one place for each question
	checks    chan struct{} // one place for each check under way
	sends     gate
	questions gate
	beating   sync.WaitGroup // the heartbeats
}

// gate counts who is inside, until it is closed.
type gate struct {
	mu     sync.Mutex // guards closed, and that nothing is added to inside afterwards
	closed bool
	inside sync.WaitGroup
}

// enter counts a call, which is to leave, unless the gate is closed.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

func (g *gate) leave() { g.inside.Done() }

// close lets nobody in any more and waits until all have left. Whether it was open.
func (g *gate) close() bool {
	g.mu.Lock()
	open := !g.closed
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
	return open
}

const (
	// maxChecks bounds the checks under way. Above it a question waits for the send timeout.
	maxChecks = 16
	// maxAsking bounds the questions, those that wait included. Above it one is left unanswered: the broker asks again, and counts it among those after which it
	// drops the message.
	maxAsking = 16 * maxChecks
)

// NewTransactionProducer makes a producer and returns without waiting for the cluster. Close it when done.
func NewTransactionProducer(cfg TransactionConfig) (*TransactionProducer, error) {
	if cfg.Check == nil {
		return nil, errors.New("transaction producer: without Check nobody can say what became of a transaction whose process died")
	}
	if cfg.Binding.Topic == "" || cfg.Binding.Group == "" || cfg.Binding.SendTimeout <= 0 {
		return nil, errors.New("transaction producer: the binding needs a topic, a group and a send timeout")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	p := &TransactionProducer{
		cfg: cfg, tracing: newTracing(cfg.Tracer, cfg.Binding.Topic, cfg.Binding.Group), ids: rocketmq.NewIDs(),
		asking: make(chan struct{}, maxAsking), checks: make(chan struct{}, maxChecks),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.members = newRegistration(cfg.Binding, cfg.Logger)
	p.client = remoting.NewClient(remoting.Config{
		Credentials: func() remoting.Credentials { return remoting.Credentials(cfg.Binding.Credentials) },
		OnRequest:   p.asked,
		OnClose:     func(string, error) { p.members.wake() },
	})
	cluster, err := remoting.NewCluster(p.client, cfg.Binding.NameServers, nil)
	if err != nil {
		p.stop()
		p.client.Close()
		return nil, fmt.Errorf("transaction producer: %w", err)
	}
	p.beating.Go(func() { p.members.run(p.ctx, p.client, cluster) })
	return p, nil
}

// NewID makes an ID for a message.
func (p *TransactionProducer) NewID() string { return p.ids.New() }

// WaitReady waits until a broker of the topic knows the producer, so that it can ask it. Those that do not yet are sent nothing.
func (p *TransactionProducer) WaitReady(ctx context.Context) error { return p.members.wait(ctx) }

// Settled is a transaction that has ended here.
type Settled struct {
	// ID is the message's.
	ID       string
	Decision Decision
	// Told is false where the broker could not be told a decision, or there is none yet. Then it asks Check.
	Told bool
}

// Send stores the message where nobody sees it, runs the local transaction, and tells the broker its decision. An error that is a
// *SendError means that local did not run; any other is local's. The message's own ID, which local should write into its
// transaction for Check to find, is given to local.
//
// It waits for the broker at most the send timeout before local, and as long after it. A local that panics has decided nothing.
// The commit that the database did not confirm is Undecided, not Rollback.
func (p *TransactionProducer) Send(ctx context.Context, msg Message, local func(ctx context.Context, id string) (Decision, error)) (_ Settled, err error) {
	if msg.ID == "" {
		msg.ID = p.NewID()
	}
	ctx, msg, span := p.tracing.begin(ctx, msg)
	defer func() { finish(span, err) }()
	if !p.sends.enter() {
		return Settled{}, &SendError{Fate: rocketmq.Unsent, Err: rocketmq.ErrClosed}
	}
	defer p.sends.leave()
	half, addr, err := p.sendHalf(ctx, msg)
	if err != nil {
		return Settled{}, err
	}
	settled := Settled{ID: msg.ID}
	settled.Decision, err = local(ctx, msg.ID)
	settled.Told = p.settle(ctx, addr, half, settled.Decision, false)
	return settled, err
}

func (p *TransactionProducer) sendHalf(ctx context.Context, msg Message) (remoting.Half, string, error) {
	var half remoting.Half
	err := msg.Validate()
	if err == nil && (msg.OrderKey != "" || msg.Delay != (Delay{})) {
		err = fmt.Errorf("%w: a message in a transaction has neither order nor delay: leave OrderKey and Delay out", rocketmq.ErrInvalidMessage)
	}
	if err != nil {
		return half, "", &SendError{Fate: rocketmq.Unsent, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Binding.SendTimeout)
	defer cancel()
	if err := p.members.wait(ctx); err != nil {
		return half, "", &SendError{Fate: rocketmq.Unsent, Err: errors.Join(err, ctx.Err())}
	}
	queue, addr := p.members.queue(p.next.Add(1))
	out := remoting.OutMessage{Body: msg.Body, Properties: append(msg.Fields(),
		remoting.Field{Name: remoting.PropertyTransaction, Value: "true"},
		remoting.Field{Name: remoting.PropertyProducerGroup, Value: p.cfg.Binding.Group})}
	half, err = p.client.SendHalf(ctx, addr, remoting.SendRequest{Group: p.cfg.Binding.Group, Queue: queue, Messages: []remoting.OutMessage{out}})
	var refusal *remoting.Error
	switch {
	case err == nil:
		return half, addr, nil
	case errors.As(err, &refusal) && !refusal.Stored():
		return half, "", &SendError{Fate: rocketmq.Refused, Code: int(refusal.Code), Err: err}
	}
	// Should the broker have it: local does not run, so Check will say Rollback.
	return half, "", &SendError{Fate: rocketmq.Unknown, Err: err}
}

// settle tells the broker a decision, if there is one; whether it was told. Whoever asked for the order may be gone by now, or the time in which the database was
// to be asked over; the decision stands.
func (p *TransactionProducer) settle(ctx context.Context, addr string, half remoting.Half, d Decision, checked bool) bool {
	decision := remoting.Commit
	switch d {
	case Commit:
	case Rollback:
		decision = remoting.Rollback
	default:
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Binding.SendTimeout)
	defer cancel()
	err := p.client.EndTransaction(ctx, addr, p.cfg.Binding.Group, half, decision, checked)
	if err != nil {
		p.cfg.Logger.Warn("broker not told what became of a transaction, it will ask", "messageId", half.ID, "error", err)
	}
	return err == nil
}

// asked answers a broker's question. It is called in the connection's read loop, so the answer is found beside it.
func (p *TransactionProducer) asked(r *remoting.Request) {
	if r.Op() != remoting.OpCheckTransaction {
		_ = r.Reply(remoting.CodeNotSupported, "this producer answers no such request", nil) // the connection finds out by itself
		return
	}
	if !p.questions.enter() {
		return
	}
	select {
	case p.asking <- struct{}{}:
	default:
		p.questions.leave()
		return
	}
	go func() {
		defer p.questions.leave()
		defer func() { <-p.asking }()
		half, stored, err := r.Half()
		if err != nil {
			p.cfg.Logger.Warn("broker's question not understood", "error", err)
			return
		}
		p.settle(p.ctx, r.Addr, half, p.check(rocketmq.MessageOf(stored)), true)
	}()
}

// check asks the user, whose panic decides nothing, when it is this message's turn.
func (p *TransactionProducer) check(msg Message) (d Decision) {
	turn := time.NewTimer(p.cfg.Binding.SendTimeout)
	defer turn.Stop()
	select {
	case p.checks <- struct{}{}:
		defer func() { <-p.checks }()
	case <-turn.C:
		return Undecided
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Binding.SendTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p.cfg.Logger.Error("panic in the check of a transaction", "messageId", msg.ID, "type", fmt.Sprintf("%T", v))
			d = Undecided
		}
	}()
	return p.cfg.Check(ctx, msg)
}

// Close waits for what is under way, the user's local transactions and checks included, leaves the producer group and disconnects. Until the
// last local transaction has ended it stays a member of the group, which can be asked. Closing again waits for local
// transactions alone.
func (p *TransactionProducer) Close() {
	if !p.sends.close() {
		return
	}
	p.questions.close()
	p.stop()
	p.beating.Wait()
	p.members.leave(p.client)
	p.client.Close()
}
