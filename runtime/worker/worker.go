// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
)

// Worker is one pod's process. Make it with New, run it once.
type Worker struct {
	options   Options
	structure worker.Structure
	// name is that of the ConfigMap the structure came from.
	name      string
	live      *live
	metrics   *telemetry.Metrics
	transport *http.Transport
	adapters  map[string]*adapter.Adapter
	delivery  *delivery.Delivery
	consumer  *consumer.Consumer
	health    *health
	log       *slog.Logger
	// started is to the second, by which it tells this process from the one before it.
	started  time.Time
	stopping atomic.Bool
}

// hangUp closes the connections that no request is using.
func (w *Worker) hangUp() {
	w.transport.CloseIdleConnections()
	for _, a := range w.adapters {
		a.CloseIdleConnections()
	}
}

// Run consumes until ctx ends, and then hands over what it has. The error says what kept it from running, or what did not end in time.
func (w *Worker) Run(ctx context.Context) error {
	defer w.hangUp()
	// What serves and watches outlives ctx: a pod that hands over still answers.
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	defer func() {
		end()
		tasks.Wait()
	}()
	consuming, stop := context.WithCancel(ctx)
	defer stop()

	servers, err := w.listen(ctx)
	if err != nil {
		return err
	}
	failures := make(chan error, len(servers))
	for _, s := range servers {
		tasks.Go(func() {
			if err := s.run(background); err != nil {
				failures <- err
				stop()
			}
		})
	}
	tasks.Go(func() { w.live.watch(background) })
	tasks.Go(func() {
		<-consuming.Done()
		w.stopping.Store(true)
	})

	w.log.Info("worker started", "structure", w.name, "liveRevision", w.live.revision(), "instance", w.options.Instance)
	err = w.consumer.Run(consuming)
	stop()
	select {
	case failure := <-failures:
		err = errors.Join(failure, err)
	default:
	}
	if err != nil {
		return fmt.Errorf("run the worker of group %s: %w", w.structure.Group, err)
	}
	w.log.Info("worker stopped")
	return nil
}

// setLimits changes the limits of the adapters that have any, and with them how long a message may take.
func (w *Worker) setLimits(l worker.Live) {
	for _, limits := range l.Adapters {
		if a := w.adapters[limits.Name]; a != nil {
			a.SetLimits(limits)
		}
	}
	w.delivery.Allow(handlingTime(w.structure.Handler, l))
	w.delivery.Skip(l.SkipMessageIDs)
	w.consumer.Suspend(outcome.Reason(l.Suspended))
	if !w.structure.Shadow { // which writes no dead letter of what is skipped: it passes in its turn
		w.consumer.Sweep(w.delivery.Spare)
	}
}

// hold tells adapters what other pods know of their third parties.
func (w *Worker) hold(holds []worker.Hold) {
	for _, h := range holds {
		if a := w.adapters[h.Adapter]; a != nil {
			a.Hold(h.Lease.D())
		}
	}
}

// reports are the third parties as this pod sees them, by name.
func (w *Worker) reports() []worker.AdapterReport {
	var reports []worker.AdapterReport
	for _, a := range w.adapters {
		reports = append(reports, a.Report())
	}
	slices.SortFunc(reports, func(a, b worker.AdapterReport) int { return strings.Compare(a.Name, b.Name) })
	return reports
}

// tellJumps writes down where positions moved other than by reading.
func tellJumps(r *worker.SyncResponse, jumps consumer.Jumps) {
	r.MessagesLost, r.JumpsTotal = jumps.Lost, jumps.Total
	for _, j := range jumps.Last {
		r.Jumps = append(r.Jumps, worker.Jump{Queue: j.Queue.String(), Cause: j.Cause, From: j.From, To: j.To, Time: j.At})
	}
}

// sync is the answer to a sync call, at a moment when consumer and delivery are so.
func (w *Worker) sync(now consumer.Snapshot, totals delivery.Totals) worker.SyncResponse {
	response := worker.SyncResponse{
		Structure:         w.name,
		LiveRevision:      w.live.revision(),
		LiveProblem:       w.live.problem(),
		InFlight:          now.InFlight,
		BusySeconds:       totals.Busy.Seconds(),
		Handled:           totals.Handled,
		Queues:            len(now.Queues),
		Parked:            now.Parked,
		ParkedReason:      string(now.ParkedReason),
		Adapters:          w.reports(),
		SkippedMessageIDs: w.delivery.Skipped(),
		Started:           w.started,
	}
	tellJumps(&response, w.consumer.Jumps())
	if v := w.consumer.Violation(); v.Messages > 0 {
		response.OrderViolation = &worker.OrderViolation{Messages: v.Messages, Last: v.Last, Queues: [2]string{v.Queues[0].String(), v.Queues[1].String()}}
	}
	if now.Parked {
		response.ParkedSince = &now.ParkedSince
	}
	if now.Suspended != "" {
		response.Suspension = &worker.Suspension{Reason: string(now.Suspended), Draining: now.Draining}
		for _, q := range now.Queues {
			response.Suspension.Uncommitted += q.Done
		}
	}
	if p := now.Probe; p.Failed > 0 {
		response.Probe = &worker.Probe{Queue: p.Queue.String(), Offset: p.Offset, MessageID: p.MessageID, Failed: p.Failed, Since: p.Since}
	}
	for _, q := range now.Queues {
		response.Waiting += q.Waiting
		if q.OffsetMissing {
			response.QueuesHeld++
		}
	}
	return response
}
