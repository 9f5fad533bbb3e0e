// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"net/http"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
)

// templated are limits with other templates for the structure's handler.
func templated(revision string, change func(*worker.Handler)) worker.Live {
	l := liveFor(revision, func(a *worker.AdapterLimits) { a.Concurrency = len(revision) })
	h := worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/send", TemplateID: revision, ToExpression: "order.phone"}}
	change(&h)
	l.Handler = &h
	return l
}

// shown is the request that a shadow's worker makes of an order.
func shown(t *testing.T, w *Worker, f *files) string {
	t.Helper()
	before := len(f.logs.text())
	m := &rocketmq.Message{Body: []byte(paid(1))}
	w.messages().Handle(t.Context(), m)
	return f.logs.text()[before:]
}

// TestTemplatesChangeUnderARunningPod shows by its shadow what the worker would send.
func TestTemplatesChangeUnderARunningPod(t *testing.T) {
	structure := structureFor(url)
	structure.Shadow = true
	f := newFiles(t, structure, liveFor("r1", nil))
	f.Log = telemetry.NewLogger(f.logs, nil)
	w, err := New(f.Options)
	f.must(err)
	sends := func(template string) {
		t.Helper()
		if got := shown(t, w, f); !strings.Contains(got, template) {
			t.Errorf("it would not send %s: %s", template, got)
		}
	}
	sends("templateId:string(1)")
	good := templated("r22", func(*worker.Handler) {})
	if got := syncWith(t, w, &good); got.LiveRevision != "r22" || got.LiveProblem != "" {
		t.Fatalf("got revision %s, problem %q", got.LiveRevision, got.LiveProblem)
	}
	sends("templateId:string(3)")

	bad := templated("r3333", func(h *worker.Handler) { h.Push.ToExpression = "order." })
	syncWith(t, w, &bad)
	f.writeJSON(f.LiveFile, bad)
	w.live.look()
	got := syncWith(t, w, nil)
	if got.LiveRevision != "r3333" || !strings.Contains(got.LiveProblem, "the templates of before are used: handler.push.toExpression") {
		t.Errorf("got revision %s, problem %q", got.LiveRevision, got.LiveProblem)
	}
	if limit := w.live.limits("sms").Concurrency; limit != len("r3333") {
		t.Errorf("the limits that came with the templates are not held: %d", limit)
	}
	sends("templateId:string(3)")
	if n := strings.Count(f.logs.text(), "templates refused"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if metrics := call(w, http.MethodGet, "/metrics", token, "").Body.String(); !strings.Contains(metrics, `result="refused"} 1`) {
		t.Error("not in the metrics")
	}

	// A process that begins with them has those of its structure.
	again, err := New(f.Options)
	f.must(err)
	if problem := again.live.problem(); !strings.Contains(problem, "handler.push.toExpression") {
		t.Errorf("the problem is %q", problem)
	}
	if got := shown(t, again, f); !strings.Contains(got, "templateId:string(1)") {
		t.Errorf("it would send %s", got)
	}

	foreign := templated("r44", func(h *worker.Handler) {
		*h = worker.Handler{Type: worker.HandlerCredit, Credit: &worker.CreditHandler{Adapter: "sms", MemberExpression: "order.", PointsExpression: "1"}}
	})
	if got := syncWith(t, w, &foreign); got.LiveRevision != "r44" || got.LiveProblem != "" {
		t.Errorf("with templates for pods of another structure: revision %s, problem %q", got.LiveRevision, got.LiveProblem)
	}
	sends("templateId:string(3)")
}

func TestASyncCallOfANewerOperatorIsUnderstood(t *testing.T) {
	w, _ := idle(t)
	const live = `{"version":2,"revision":"r2","laterOn":1,"adapters":[{"name":"sms","timeout":"1s","requestAttempts":1,"retryDelay":"1ms","breaker":{"failurePercentage":50,"minimumRequests":1,"window":"1s","openDuration":"1s"}}]}`
	if answer := call(w, http.MethodPost, worker.SyncPath, token, `{"laterOn":{},"live":`+live+`}`); answer.Code != http.StatusOK || w.live.revision() != "r2" {
		t.Errorf("got %d %s, running with %s", answer.Code, answer.Body, w.live.revision())
	}
}
