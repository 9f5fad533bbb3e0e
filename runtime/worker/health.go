// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// liveness is how long a look at the consumer may take.
	liveness = time.Second
	// handlingMargin is what handling a message may take beside its requests.
	handlingMargin = time.Minute
)

// health finds out whether a worker makes progress.
type health struct {
	// look says what does not; it may hang itself, on a lock that is never given back.
	look func() error
	log  *slog.Logger

	mu sync.Mutex
	// out is the look that has not returned; there is one at most, however many ask.
	out *look
	// said is what was last said in the log, "" for nothing wrong.
	said string
}

type look struct {
	done chan struct{}
	err  error // once done
}

// problem says why the process has to be replaced; nil while it need not.
func (h *health) problem() error {
	l := h.ask()
	err := errors.New("the consumer does not tell its state: something holds a lock")
	select {
	case <-l.done:
		err = l.err
	case <-time.After(liveness):
	}
	h.tell(err)
	return err
}

func (h *health) ask() *look {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.out != nil {
		return h.out
	}
	l := &look{done: make(chan struct{})}
	h.out = l
	go func() {
		l.err = h.look()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.out = nil
		close(l.done)
	}()
	return l
}

// tell logs a change.
func (h *health) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch text {
	case h.said:
	case "":
		h.log.Info("there is progress again")
	default:
		h.log.Error("no progress, /healthz says so", "error", text)
	}
	h.said = text
}

func (w *Worker) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		if err := w.health.problem(); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		switch now := w.consumer.Snapshot(); {
		case w.stopping.Load():
			http.Error(rw, "stopping", http.StatusServiceUnavailable)
		case !now.Ready:
			http.Error(rw, "not yet a member of the group", http.StatusServiceUnavailable)
		case !now.Settled: // a rollout that went on would move the same queues again
			http.Error(rw, "queues are still being handed over to this pod", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// stuck says what of the worker makes no progress.
func (w *Worker) stuck() error {
	w.consumer.Snapshot() // needs the lock everything needs
	return errors.Join(w.consumer.Stuck(), w.delivery.Stuck())
}

// handlingTime is how long handling a message may take without waiting for limits: as if each request of each step failed as late as it can.
func handlingTime(h worker.Handler, l worker.Live) time.Duration {
	longest := handlingMargin
	for _, name := range h.StepAdapters() {
		limits := find(l, name)
		longest += time.Duration(2*limits.RequestAttempts+1) * limits.Timeout.D() // a status query may come before, and a token before each
		for try, delay := 1, limits.RetryDelay.D(); try < limits.RequestAttempts; try, delay = try+1, 2*delay {
			longest += 2 * delay // more than jitter adds
		}
	}
	return longest
}
