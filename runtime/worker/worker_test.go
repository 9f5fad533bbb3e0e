// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
)

const url = "https://sms.example.com"

func TestNewRefusesWithASentence(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *files)
		want   string
	}{
		"no structure":             {func(f *files) { f.must(os.Remove(f.StructureFile)) }, "read the structure: open "},
		"a structure that is none": {func(f *files) { f.write(f.StructureFile, []byte("{")) }, "structure.json: reading the worker's structure: unexpected EOF"},
		"an unknown field":         {func(f *files) { f.write(f.StructureFile, []byte(`{"color":1}`)) }, `unknown field "color"`},
		"another version": {func(f *files) {
			s := structureFor(url)
			s.Version = 1
			f.writeJSON(f.StructureFile, s)
		}, "version is 1, this worker reads 2: run operator and worker of one release"},
		"an expression that does not compile": {func(f *files) {
			s := structureFor(url)
			s.Handler.Push.ToExpression = "order.phone +"
			f.writeJSON(f.StructureFile, s)
		}, "build the handler: handler.push.toExpression: column 14: Syntax error"},
		"a success expression that does not compile": {func(f *files) {
			s := structureFor(url)
			s.Adapters[0].SuccessExpression = "order.id == ''"
			f.writeJSON(f.StructureFile, s)
		}, `adapter "sms": response.successExpression: column 1: undeclared reference to 'order'`},
		"a network that is none": {func(f *files) {
			s := structureFor(url)
			s.PrivateNetworks = []string{"10.0.0.0"}
			f.writeJSON(f.StructureFile, s)
		}, `privateNetworks: "10.0.0.0" is no network like 10.0.0.0/8`},
		"no limits": {func(f *files) { f.must(os.Remove(f.LiveFile)) }, "read the limits: open "},
		"limits without breaker": {func(f *files) {
			f.writeJSON(f.LiveFile, liveFor("r", func(l *worker.AdapterLimits) { l.Breaker.Window = 0 }))
		}, `adapter "sms" has a breaker without`},
		"limits of another adapter": {func(f *files) {
			f.writeJSON(f.LiveFile, liveFor("r", func(l *worker.AdapterLimits) { l.Name = "fax" }))
		}, `live.json: revision r has no limits for adapter "sms"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t, structureFor(url), liveFor("r1", nil))
			c.change(f)
			_, err := New(f.Options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant it to contain %q", err, c.want)
			}
		})
	}
}

// idle is a worker that does not run.
func idle(t *testing.T) (*Worker, *files) {
	t.Helper()
	f := newFiles(t, structureFor(url), liveFor("r1", nil))
	w, err := New(f.Options)
	if err != nil {
		t.Fatal(err)
	}
	return w, f
}

func call(w *Worker, method, path, bearer, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer := httptest.NewRecorder()
	w.syncHandler().ServeHTTP(answer, r)
	return answer
}

func syncWith(t *testing.T, w *Worker, l *worker.Live) worker.SyncResponse {
	t.Helper()
	body, err := json.Marshal(worker.SyncRequest{Live: l})
	if err != nil {
		t.Fatal(err)
	}
	answer := call(w, http.MethodPost, worker.SyncPath, token, string(body))
	var response worker.SyncResponse
	if err := json.Unmarshal(answer.Body.Bytes(), &response); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	return response
}

func TestOnlyTheGroupsTokenOpens(t *testing.T) {
	w, f := idle(t)
	for _, path := range []string{"/sync", "/metrics", "/"} {
		for _, bearer := range []string{"", "x", token + "x", token[1:]} {
			if answer := call(w, http.MethodPost, path, bearer, "{}"); answer.Code != http.StatusUnauthorized || strings.Contains(answer.Body.String(), "orderflow_") {
				t.Errorf("%s with %q: got %d %s", path, bearer, answer.Code, answer.Body)
			}
		}
	}
	if answer := call(w, http.MethodGet, worker.SyncPath, token, ""); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /sync: got %d", answer.Code)
	}
	if answer := call(w, http.MethodPost, worker.SyncPath, token, `{"of a newer operator":{}}`); answer.Code != http.StatusOK {
		t.Errorf("an unknown field: got %d %s", answer.Code, answer.Body)
	}
	f.must(os.Remove(f.SyncDir + "/token"))
	fresh, err := New(f.Options)
	f.must(err)
	if answer := call(fresh, http.MethodPost, worker.SyncPath, token, "{}"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("without a token: got %d", answer.Code)
	}
}

func TestTheSyncAnswer(t *testing.T) {
	w, f := idle(t)
	data, err := os.ReadFile(f.StructureFile)
	f.must(err)
	got := syncWith(t, w, nil)
	if got.Structure != worker.StructureName("order-paid-push", data) || got.LiveRevision != "r1" || got.LiveProblem != "" {
		t.Errorf("got %+v", got)
	}
	if len(got.Adapters) != 1 || got.Adapters[0].Name != "sms" || got.Adapters[0].Circuit != worker.CircuitClosed {
		t.Errorf("adapters: %+v", got.Adapters)
	}
}

func TestASyncCallHoldsThirdParties(t *testing.T) {
	w, _ := idle(t)
	told := func(holds string, want bool) {
		t.Helper()
		answer := call(w, http.MethodPost, worker.SyncPath, token, `{"holds":`+holds+`}`)
		var got worker.SyncResponse
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got.Adapters[0].Held != want {
			t.Errorf("told %s: got %s, want it held: %t", holds, answer.Body, want)
		}
	}
	told(`[{"adapter":"fax","lease":"10s"}]`, false)
	told(`[{"adapter":"sms","lease":"10s"}]`, true)
	told(`null`, true)
	told(`[{"adapter":"sms"}]`, false)
}

func TestTheSyncAnswerSaysWhatHoldsMessagesUp(t *testing.T) {
	w, _ := idle(t)
	since := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	held, read := consumer.QueueSnapshot{OffsetMissing: true}, consumer.QueueSnapshot{}
	for name, c := range map[string]struct {
		now  consumer.Snapshot
		want string
	}{
		"nothing": {consumer.Snapshot{Queues: []consumer.QueueSnapshot{read}},
			`"queues":1,"parked":false,"adapters"`},
		"a circuit that is open": {consumer.Snapshot{Parked: true, ParkedReason: "CircuitOpen", ParkedSince: since},
			`"queues":0,"parked":true,"parkedReason":"CircuitOpen","parkedSince":"2026-07-01T12:00:00Z","adapters"`},
		"queues without a committed offset": {consumer.Snapshot{Queues: []consumer.QueueSnapshot{held, read, held}},
			`"queues":3,"queuesHeld":2,"parked":false,"adapters"`},
		"one message that is tried again and again": {consumer.Snapshot{Parked: true, ParkedReason: "CircuitOpen", ParkedSince: since,
			Queues: []consumer.QueueSnapshot{{Waiting: 1}}, Probe: consumer.Probe{Queue: rocketmq.Queue{Topic: "T", Broker: "b", ID: 3}, Offset: 7, MessageID: "U7", Failed: 5, Since: since}},
			`"probe":{"queue":"T@b#3","offset":7,"messageId":"U7","failed":5,"since":"2026-07-01T12:00:00Z"}`},
		"messages that wait": {consumer.Snapshot{Queues: []consumer.QueueSnapshot{{Waiting: 1}, {Waiting: 2}}}, `"waiting":3,"queues":2`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(w.sync(c.now, delivery.Totals{}))
			if err != nil || !strings.Contains(string(got), c.want) {
				t.Errorf("got %s, %v\nwant it to contain %s", got, err, c.want)
			}
		})
	}
}

func TestLimitsComeFromTheFileAndFasterBySync(t *testing.T) {
	w, f := idle(t)
	revision := func(want string) {
		t.Helper()
		if got := w.live.revision(); got != want {
			t.Errorf("running with revision %s, want %s", got, want)
		}
	}
	second := liveFor("r2", func(l *worker.AdapterLimits) { l.Concurrency = 7 })
	if got := syncWith(t, w, &second); got.LiveRevision != "r2" || got.Adapters[0].Allowed != 7 {
		t.Errorf("answered %+v, want the revision just carried, and its limit", got)
	}
	w.live.look()
	revision("r2") // the file still holds r1: older than what the sync call brought
	f.writeJSON(f.LiveFile, second)
	w.live.look()
	revision("r2") // caught up
	f.writeJSON(f.LiveFile, liveFor("r3", nil))
	w.live.look()
	revision("r3")
}

func TestLimitsThatAreNotValidChangeNothingAndAreNamed(t *testing.T) {
	for name, bring := range map[string]func(w *Worker, f *files){
		"in the file": func(w *Worker, f *files) {
			f.write(f.LiveFile, []byte(`{"version":2,"revision":"r2","adapters":[]}`))
			w.live.look()
			w.live.look()
		},
		"in a sync call": func(w *Worker, _ *files) { syncWith(t, w, &worker.Live{Version: worker.Version, Revision: "r2"}) },
		"no file":        func(w *Worker, f *files) { f.must(os.Remove(f.LiveFile)); w.live.look() },
	} {
		t.Run(name, func(t *testing.T) {
			w, f := idle(t)
			bring(w, f)
			got := syncWith(t, w, nil)
			if got.LiveRevision != "r1" || got.LiveProblem == "" {
				t.Errorf("got revision %s, problem %q", got.LiveRevision, got.LiveProblem)
			}
			if log := f.logs.text(); strings.Count(log, "limits refused") != 1 {
				t.Errorf("not said once in the log: %s", log)
			}
			metrics := call(w, http.MethodGet, "/metrics", token, "").Body.String()
			if !strings.Contains(metrics, `orderflow_live_reloads_total{group="push_group",namespace="shop",result="refused"} 1`) {
				t.Error("not in the metrics")
			}
			third := liveFor("r3", nil)
			if got := syncWith(t, w, &third); got.LiveRevision != "r3" || got.LiveProblem != "" {
				t.Errorf("after good limits: revision %s, problem %q", got.LiveRevision, got.LiveProblem)
			}
		})
	}
}

func TestAFileThatComesBackAsItWasIsAProblemNoMore(t *testing.T) {
	bad := []byte("{")
	for name, c := range map[string]struct {
		prepare func(w *Worker, f *files)
		want    string // revision
		problem string
	}{
		"with limits that hold":                 {func(*Worker, *files) {}, "r1", ""},
		"with limits a sync call has replaced":  {func(w *Worker, _ *files) { second := liveFor("r2", nil); syncWith(t, w, &second) }, "r2", ""},
		"with limits that are as wrong as ever": {func(w *Worker, f *files) { f.write(f.LiveFile, bad); w.live.look() }, "r1", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			w, f := idle(t)
			c.prepare(w, f)
			data, err := os.ReadFile(f.LiveFile)
			f.must(err)
			f.must(os.Remove(f.LiveFile))
			w.live.look()
			if problem := w.live.problem(); !strings.Contains(problem, "read the limits") {
				t.Errorf("while it is away the problem is %q", problem)
			}
			f.write(f.LiveFile, data)
			w.live.look()
			if problem := w.live.problem(); w.live.revision() != c.want || (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
				t.Errorf("got revision %s, problem %q; want %s, %q", w.live.revision(), problem, c.want, c.problem)
			}
		})
	}
}

func TestGraceLeavesTimeToEnd(t *testing.T) {
	for termination, want := range map[time.Duration]time.Duration{
		5 * time.Second: 3750 * time.Millisecond, 30 * time.Second: 25 * time.Second, 10 * time.Minute: 595 * time.Second,
	} {
		if got := grace(termination); got != want {
			t.Errorf("grace(%v) is %v, want %v", termination, got, want)
		}
	}
}
