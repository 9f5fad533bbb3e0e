// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func healthz(w *Worker) (status int, text string) {
	answer := httptest.NewRecorder()
	w.healthHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	return answer.Code, strings.TrimSpace(answer.Body.String())
}

func TestHealthSaysWhatMakesNoProgress(t *testing.T) {
	w, _ := idle(t)
	if status, text := healthz(w); status != http.StatusOK {
		t.Errorf("a worker that is well: %d %s", status, text)
	}
	w.health.look = func() error { return errors.New("the membership is stuck since noon") }
	if status, text := healthz(w); status != http.StatusServiceUnavailable || text != "the membership is stuck since noon" {
		t.Errorf("got %d %q", status, text)
	}
}

func TestHealthIsToldOnceInTheLog(t *testing.T) {
	var log buffer
	var problem error
	h := &health{look: func() error { return problem }, log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, problem = range []error{nil, errors.New("stuck"), errors.New("stuck"), errors.New("more stuck"), nil, nil} {
		if err := h.problem(); !errors.Is(err, problem) {
			t.Errorf("got %v, want %v", err, problem)
		}
	}
	for text, want := range map[string]int{"error=stuck": 1, `error="more stuck"`: 1, "progress again": 1, "msg": 3} {
		if got := strings.Count(log.text(), text); got != want {
			t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, want, log.text())
		}
	}
}

func TestALookThatHangsIsAProblemAndTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		lock := make(chan struct{})
		h := &health{log: slog.New(slog.DiscardHandler), look: func() error { looks.Add(1); <-lock; return nil }}
		var probes sync.WaitGroup
		for range 20 {
			probes.Go(func() {
				if err := h.problem(); err == nil || !strings.Contains(err.Error(), "something holds a lock") {
					t.Errorf("got %v", err)
				}
			})
			time.Sleep(liveness / 2)
		}
		probes.Wait()
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks hang, want 1", n)
		}
		close(lock)
		synctest.Wait()
		if err := h.problem(); err != nil || looks.Load() != 2 {
			t.Errorf("once the lock was given back: %v after %d looks", err, looks.Load())
		}
	})
}

func TestHandlingMayTakeAsLongAsItsRequests(t *testing.T) {
	handler := worker.Handler{Type: worker.HandlerHTTP, HTTP: &worker.HTTPHandler{Steps: []worker.HTTPStep{{Adapter: "sms"}, {Adapter: "sms"}}}}
	limits := liveFor("r1", func(l *worker.AdapterLimits) {
		l.RequestAttempts, l.Timeout, l.RetryDelay = 3, worker.Duration(10*time.Second), worker.Duration(time.Second)
	})
	// Each step: a status query, three requests with a token for each, and delays of one and two seconds that jitter makes longer.
	if got, want := handlingTime(handler, limits), time.Minute+2*(70+6)*time.Second; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
