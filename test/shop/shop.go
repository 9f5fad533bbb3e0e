// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

// Coupled is how an order is "sent" when the shop calls the third parties itself; else it is a producer.Mode.
const Coupled = "Coupled"

const (
	// maxOrders bounds the orders one shop pays: about 100 MB of what their senders were told.
	maxOrders = 1_000_000
	// stockQuantity is enough for maxOrders.
	stockQuantity = 1_000_000_000
	// articles is how many articles there are.
	articles = 100
	// outboxGrace is how much longer than the send timeout the relay leaves a new row to the shop's own sending.
	outboxGrace = time.Second
)

// Config is what a Shop needs.
type Config struct {
	// Database is the path of the database file.
	Database string
	// Binding is how it sends; nil is a shop that can only be coupled.
	Binding *producer.Binding
	// ThirdParties is the base URL of the third parties, for coupled orders.
	ThirdParties string
	// CallTimeout bounds each call of a coupled order. Default 2 s.
	CallTimeout time.Duration
	// Logger defaults to slog's default logger.
	Logger *slog.Logger
}

// Shop pays orders. It is an http.Handler and safe for concurrent use.
type Shop struct {
	cfg      Config
	mux      *http.ServeMux
	store    *store
	producer *producer.Producer // nil: can only be coupled
	relay    *producer.Relay
	parties  *thirdParties
	run      string // begins the ids of this shop's own orders

	stop    context.CancelFunc
	running sync.WaitGroup  // relay and loads
	ctx     context.Context // ends with the shop

	mu    sync.Mutex
	told  map[string]ledger.Told
	loads []*load
}

// New opens the database and starts sending and relaying. Close it when done.
func New(ctx context.Context, cfg Config) (*Shop, error) {
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Shop{cfg: cfg, parties: newThirdParties(cfg.ThirdParties, cfg.CallTimeout), run: rand.Text()[:6], told: map[string]ledger.Told{}}
	var err error
	if s.store, err = openStore(ctx, cfg.Database); err != nil {
		return nil, err
	}
	if err := s.store.restock(ctx, skus(), stockQuantity); err != nil {
		return nil, errors.Join(err, s.store.close())
	}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if cfg.Binding != nil {
		if s.producer, err = producer.New(producer.Config{Binding: *cfg.Binding, Logger: cfg.Logger}); err != nil {
			s.stop()
			return nil, errors.Join(err, s.store.close())
		}
		s.relay = producer.NewRelay(producer.RelayConfig{
			Outbox: s.store.outbox, Sender: s.producer, Grace: cfg.Binding.SendTimeout + outboxGrace, Logger: cfg.Logger,
		})
		s.running.Go(func() { s.relay.Run(s.ctx) })
	}
	s.routes()
	return s, nil
}

// Close stops loads and relay, waits for what is being sent and closes the database.
func (s *Shop) Close() error {
	s.stop()
	s.running.Wait()
	if s.producer != nil {
		s.producer.Close()
	}
	s.parties.close()
	return s.store.close()
}

// WaitReady waits until the shop could send.
func (s *Shop) WaitReady(ctx context.Context) error {
	if s.producer == nil {
		return nil
	}
	return s.producer.WaitReady(ctx)
}

// manner is how orders are paid.
type manner struct {
	// sent is Coupled or a producer.Mode.
	sent   string
	outbox bool
}

// check says why orders cannot be paid in this manner; nil when they can.
func (s *Shop) check(m manner) error {
	switch {
	case m.sent == Coupled && m.outbox:
		return errors.New("a coupled order sends no message, so it has no outbox")
	case m.sent == Coupled && s.cfg.ThirdParties == "":
		return errors.New("coupled orders need the third parties' URL")
	case m.sent == Coupled:
		return nil
	case s.producer == nil:
		return errors.New("the shop has no producer binding: it can only pay coupled orders")
	case m.sent == string(producer.Oneway) && m.outbox:
		return errors.New("nothing confirms a oneway send, so the outbox would send every message a second time; use Sync or Async")
	case m.sent != string(producer.Sync) && m.sent != string(producer.Async) && m.sent != string(producer.Oneway):
		return fmt.Errorf("cannot send %q; want Sync, Async or Oneway", m.sent)
	}
	return nil
}

// pay pays a created order. An error means that the buyer sees one; the order may be paid all the same. A message that
// could not be sent is no error: the sender was told, and that is recorded.
func (s *Shop) pay(ctx context.Context, o producer.OrderEvent, m manner) error {
	o.PaidAt = now()
	if m.sent == Coupled {
		if err := s.store.pay(ctx, o, m.sent, nil); err != nil {
			return err
		}
		err := s.parties.callAll(ctx, o)
		if err != nil {
			s.tell(o.ID, ledger.Failed)
		} else {
			s.tell(o.ID, ledger.Accepted)
		}
		return err
	}
	msg, err := o.Message()
	if err != nil {
		return err
	}
	msg.ID = s.producer.NewID()
	var promised *producer.Message
	if m.outbox {
		promised = &msg
	}
	if err := s.store.pay(ctx, o, m.sent, promised); err != nil {
		return err
	}
	s.tell(o.ID, ledger.Pending)
	s.send(ctx, o.ID, msg, m.outbox, producer.Mode(m.sent))
	return nil
}

// send sends the message of a paid order.
func (s *Shop) send(ctx context.Context, id string, msg producer.Message, promised bool, mode producer.Mode) {
	accepted := func(producer.Receipt) {
		s.tell(id, ledger.Accepted)
		if promised {
			s.relay.Sent(msg.ID)
		}
	}
	failed := func(err error) { s.tell(id, toldBy(err)) }
	switch mode {
	case producer.Sync:
		if receipt, err := s.producer.Send(ctx, msg); err != nil {
			failed(err)
		} else {
			accepted(receipt)
		}
	case producer.Async:
		if err := s.producer.SendAsync(ctx, msg, producer.Callback{OnSuccess: accepted, OnError: failed}); err != nil {
			failed(err)
		}
	case producer.Oneway:
		if err := s.producer.SendOneway(ctx, msg); err != nil {
			failed(err)
		} else {
			s.tell(id, ledger.Accepted)
		}
	}
}

// toldBy is what a failed send says about the message.
func toldBy(err error) ledger.Told {
	if sendErr := new(producer.SendError); errors.As(err, &sendErr) && sendErr.Fate != rocketmq.Unknown {
		return ledger.Failed
	}
	return ledger.Unknown
}

// tell records what the sender of the order was told.
func (s *Shop) tell(id string, told ledger.Told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[id] = told
}

// toldOf is what the sender of the order was told; after a restart nobody knows any more.
func (s *Shop) toldOf(id string) ledger.Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told, ok := s.told[id]; ok {
		return told
	}
	return ledger.Unknown
}

// room reports whether n more orders are within the bound.
func (s *Shop) room(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loads {
		n += l.remaining()
	}
	return len(s.told)+n <= maxOrders
}
