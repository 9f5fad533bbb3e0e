// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// Handler handles one message. It is called from many goroutines; ctx is cancelled when the time to stop, or to hand the queue over, is up. Its fence
// (package fence) says whether the queue is certainly ours: who calls a third party asks right before. A panic counts as outcome.Retry.
type Handler interface {
	Handle(ctx context.Context, m *rocketmq.Message) outcome.Outcome
}

// Mode says who sets the pace.
type Mode string

// The modes.
const (
	// Push fetches ahead, up to MaxUncommitted, and hands messages out as they arrive.
	Push Mode = "Push"
	// Pull fetches only when there is a free hand, or when Batch is called.
	Pull Mode = "Pull"
)

// Config is what a Consumer is made of.
type Config struct {
	// NameServers are host:port, at least one.
	NameServers []string
	// Remoting configures the connections. Its OnRequest and OnClose are the consumer's.
	Remoting rocketmq.Config
	// Group is the consumer group. It and its retry and dead letter topics exist.
	Group string
	// Instance tells this consumer from all others of the group, ever: a pod's UID. A consumer that comes back under the same name, as after a
	// container's restart, continues at once where it was killed.
	Instance string
	// Topic is subscribed with Expression: "*" or tags joined by "||". Default "*".
	Topic, Expression string
	// ExpressionType says how Expression is read. Default rocketmq.TypeTag.
	ExpressionType rocketmq.ExpressionType
	// Mode is Push by default.
	Mode Mode
	// Model is Clustering by default.
	Model Model
	// Handler is called for every message. Nil only in Pull mode, for who calls Batch.
	Handler Handler
	// OrderKey tells a message's order key, "" if it has none. Messages of one key and one queue are handled one after the other, those without a key
	// as if they had one of their own. It is called once for each message, from many goroutines. A message whose key it cannot tell is a dead letter.
	// Nil: no order is kept.
	OrderKey func(*rocketmq.Message) (string, error)
	// Concurrency is how many messages are handled at once. Default 20.
	Concurrency int
	// MaxUncommitted bounds the messages of one queue that are fetched, in flight, or finished and not committed: what comes again after a crash.
	// Default 256.
	MaxUncommitted int
	// MaxBytes bounds the memory of messages that are fetched and not finished, of all queues together. It may be exceeded by one pull of each queue, which
	// a broker bounds at 256 KiB or one message: no queue waits for what another holds. Default 64 MiB.
	MaxBytes int
	// MaxAttempts is that of the retry plan, which is not made here. The limit of the broker, or of a lane, is set above it. Default 16.
	MaxAttempts int
	// Grace is how long handlers may run on when their queue is handed over or the consumer stops. Default 25 s.
	Grace time.Duration
	// Journal notes what is in flight: a message this process died on journal.Deadly times becomes a dead letter, and what else was in flight at a death is
	// run alone. It has Concurrency hands. Nil: a message that kills the process does so until it is taken away by hand.
	Journal *journal.Journal
	// Observer is told what happens. Default: nobody.
	Observer Observer
	// Log hears of what changes: queues, connections, parking. Default: nobody.
	Log *slog.Logger
}

const (
	defaultConcurrency    = 20
	defaultMaxUncommitted = 256
	defaultMaxBytes       = 64 << 20
	defaultMaxAttempts    = 16
	defaultGrace          = 25 * time.Second
)

// withDefaults returns a complete copy, or says what is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Mode == "" {
		c.Mode = Push
	}
	setDefault(&c.Model, Clustering)
	if err := errors.Join(c.validate(), c.validateModel()); err != nil {
		return c, fmt.Errorf("configure the consumer of group %q: %w", c.Group, err)
	}
	setDefault(&c.Expression, "*")
	setDefault(&c.ExpressionType, rocketmq.TypeTag)
	setDefault(&c.Concurrency, defaultConcurrency)
	setDefault(&c.MaxUncommitted, defaultMaxUncommitted)
	setDefault(&c.MaxBytes, defaultMaxBytes)
	setDefault(&c.MaxAttempts, defaultMaxAttempts)
	setDefault(&c.Grace, defaultGrace)
	if c.Observer == nil {
		c.Observer = Unobserved{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func (c Config) validate() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Group == "" || c.Topic == "" || c.Instance == "", "group, topic and instance are needed")
	refuse(c.Mode != Push && c.Mode != Pull, "mode is %q, not Push or Pull", c.Mode)
	refuse(c.Handler == nil && c.Mode == Push, "a Push consumer needs a handler")
	refuse(min(c.Concurrency, c.MaxUncommitted, c.MaxBytes, c.MaxAttempts) < 0 || c.Grace < 0, "concurrency, maxUncommitted, maxBytes, maxAttempts and grace cannot be negative")
	return errors.Join(errs...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
