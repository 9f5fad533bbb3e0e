// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package handler

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/handler/credit"
	"github.com/orderflow-dev/orderflow/runtime/handler/http"
	"github.com/orderflow-dev/orderflow/runtime/handler/marketing"
	"github.com/orderflow-dev/orderflow/runtime/handler/push"
	"github.com/orderflow-dev/orderflow/runtime/handler/step"
	"github.com/orderflow-dev/orderflow/runtime/handler/warehouse"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

const (
	// MappingFailed is Dead: a request cannot be made from this message, or its age cannot be told.
	MappingFailed outcome.Reason = "MappingFailed"
	// Skipped is Done without a request: a condition is false, or there is nothing to do.
	Skipped outcome.Reason = "Skipped"
)

// kinds are the handlers.
var kinds = map[worker.HandlerType]func(worker.Handler, step.Programs) []step.Step{
	worker.HandlerPush:      push.Steps,
	worker.HandlerWarehouse: warehouse.Steps,
	worker.HandlerCredit:    credit.Steps,
	worker.HandlerMarketing: marketing.Steps,
	worker.HandlerHTTP:      http.Steps,
}

// Caller makes a step's request; *adapter.Adapter in a worker.
type Caller interface {
	Call(ctx context.Context, r adapter.Request) outcome.Outcome
}

// Config is what a Handler is made of.
type Config struct {
	// Structure says what to do.
	Structure worker.Structure
	// Adapters by name; one for each the handler refers to.
	Adapters map[string]Caller
	// Recipient is part of the idempotency keys, where each of several recipients is to have the effect. Empty: one effect is for all.
	Recipient string
}

// Handler runs the steps of one group. It is safe for concurrent use.
type Handler struct {
	group string
	// recipient is that of Config.
	recipient string
	key       *expression.Program
	adapters  map[string]Caller
	plan      atomic.Pointer[plan]
	progress  progress
}

// plan is what is done with a message.
type plan struct {
	when  *expression.Program
	steps []step.Step
}

// New compiles the handler's expressions, or says all that is wrong with them.
func New(c Config) (*Handler, error) {
	programs, err := compile(c.Structure.Expressions())
	if err != nil {
		return nil, err
	}
	h := &Handler{group: c.Structure.Group, recipient: c.Recipient, key: programs["idempotency.keyExpression"], adapters: c.Adapters}
	return h, h.adopt(c.Structure.Handler, programs)
}

// SetTemplates makes requests by other templates from the next message on, or says all that is wrong with them. The handler they are of is alike the one it was
// made with: a message that is parked goes on with the step it came to.
func (h *Handler) SetTemplates(spec worker.Handler) error {
	programs, err := compile(spec.Expressions())
	if err != nil {
		return err
	}
	return h.adopt(spec, programs)
}

func compile(list []worker.Expression) (step.Programs, error) {
	programs := step.Programs{}
	var errs []error
	for _, e := range list {
		program, err := expression.Compile(e)
		programs[e.Field] = program
		errs = append(errs, err)
	}
	return programs, errors.Join(errs...)
}

func (h *Handler) adopt(spec worker.Handler, programs step.Programs) error {
	steps, known := kinds[spec.Type]
	if !known {
		return fmt.Errorf("this worker does not know handler type %q: run operator and worker of one release", spec.Type)
	}
	p := &plan{when: programs["handler.whenExpression"], steps: steps(spec, programs)}
	for _, s := range p.steps {
		if h.adapters[s.Adapter] == nil {
			return fmt.Errorf("step %s refers to adapter %q, which is not given", s.Name, s.Adapter)
		}
	}
	h.plan.Store(p)
	return nil
}

// Handle does what is to be done with a message whose body is decoded. at is where it was read: the same while it is parked, another after a retry.
func (h *Handler) Handle(ctx context.Context, m *message.Message, at string) outcome.Outcome {
	p := h.plan.Load()
	if p.when != nil {
		wanted, err := p.when.Bool(ctx, expression.OfMessage(m))
		if err != nil {
			return Unmapped(ctx, err)
		}
		if !wanted {
			return outcome.Outcome{Kind: outcome.Done, Reason: Skipped}
		}
	}
	business, err := m.BusinessKey(ctx, h.key)
	if err != nil {
		return Unmapped(ctx, err)
	}
	if h.recipient != "" {
		business = append(business, h.recipient)
	}
	return h.run(ctx, m, at, business, p.steps)
}

func (h *Handler) run(ctx context.Context, m *message.Message, at string, business []string, steps []step.Step) outcome.Outcome {
	done := outcome.Outcome{Kind: outcome.Done, Reason: Skipped}
	delivery := parkedKey{m.ID(), at}
	first := h.progress.take(delivery)
	for i := first.step; i < len(steps); i++ {
		s := steps[i]
		request, err := s.Build(ctx, m)
		if errors.Is(err, step.ErrSkip) {
			continue
		}
		if err != nil {
			o := Unmapped(ctx, err)
			o.Detail = fmt.Sprintf("step %s: %s", s.Name, o.Detail)
			return o
		}
		doubtful := first.doubtful(i)
		done = h.adapters[s.Adapter].Call(ctx, adapter.Request{
			Step: s.Name, Method: request.Method, Path: request.Path, PathMapped: request.PathMapped, Body: request.Body, Key: message.Key(h.group, business, s.Name), Message: m, MaybeMade: doubtful || m.MaybeAttempted(),
		})
		if done.Kind == outcome.Park {
			h.progress.keep(delivery, place{step: i, maybeMade: doubtful || done.MaybeMade, forgotten: first.forgotten})
		}
		if done.Kind != outcome.Done {
			return done
		}
	}
	if first.step > 0 {
		done.Reason = "" // earlier steps made their requests before the message was parked
	}
	return done
}

// Unmapped is the outcome of a message one of whose expressions has no result, unless it was only our own context that ended.
func Unmapped(ctx context.Context, err error) outcome.Outcome {
	if ctx.Err() != nil {
		return outcome.ParkUntil(ctx.Done(), adapter.Stopping, "stopped while mapping the message")
	}
	return outcome.Kill(MappingFailed, err.Error())
}
