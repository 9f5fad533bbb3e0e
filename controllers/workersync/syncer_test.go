// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var push = types.NamespacedName{Namespace: "shop", Name: "push"}

// pod is a worker that answers the sync call as the real one does: by its own certificate and token, and with the limits it was given.
type pod struct {
	server *httptest.Server
	token  string

	mu       sync.Mutex
	answer   worker.SyncResponse
	requests []worker.SyncRequest
	refuses  bool // to be told limits
	deaf     bool // to holds
}

// startPod serves at ip; the first pod of a test takes any port, the others the same.
func startPod(t *testing.T, ip string, port int, c workersync.Credentials) *pod {
	t.Helper()
	p := &pod{token: c.Token}
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	p.server = &httptest.Server{
		Listener: listener,
		Config:   &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)},
		TLS:      &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13},
	}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	return p
}

func (p *pod) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+p.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var request worker.SyncRequest
	if r.Method != http.MethodPost || r.URL.Path != worker.SyncPath || json.NewDecoder(r.Body).Decode(&request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.requests = append(p.requests, request)
	if request.Live != nil && p.refuses || request.Holds != nil && p.deaf {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if request.Live != nil {
		p.answer.LiveRevision = request.Live.Revision
	}
	_ = json.NewEncoder(w).Encode(p.answer) // the test sees a lost answer
}

func (p *pod) port() int { return p.server.Listener.Addr().(*net.TCPAddr).Port }

func running(name, ip string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip}}
}

// newSyncer returns a Syncer that finds pods at port, and what expects the group with credentials and a revision.
func newSyncer(t *testing.T, port int, pods ...corev1.Pod) (*workersync.Syncer, func(workersync.Credentials, string)) {
	t.Helper()
	s := workersync.New(workersync.Config{
		Pods:   func(context.Context, types.NamespacedName) ([]corev1.Pod, error) { return pods, nil },
		Logger: slog.New(slog.DiscardHandler), Port: port,
	})
	t.Cleanup(func() { s.Forget(push) })
	return s, func(c workersync.Credentials, revision string) {
		s.Expect(push, workersync.Group{ServerName: serverName, Credentials: c, Live: worker.Live{Version: worker.Version, Revision: revision}})
	}
}

// valid makes credentials that are valid by the real clock, which TLS asks.
func valid(t *testing.T) workersync.Credentials {
	t.Helper()
	return credentials(t, time.Now())
}

func TestEveryPodIsAskedAndTold(t *testing.T) {
	c := valid(t)
	one := startPod(t, "127.0.0.1", 0, c)
	two := startPod(t, "127.0.0.2", one.port(), c)
	one.answer = worker.SyncResponse{InFlight: 3, LiveRevision: "r2"}
	two.answer = worker.SyncResponse{InFlight: 4, LiveRevision: "r1"}
	s, expect := newSyncer(t, one.port(), running("push-2", "127.0.0.2"), running("push-1", "127.0.0.1"))

	if got := s.Reports(push); got != nil {
		t.Errorf("before the first pass something is known: %v", got)
	}
	expect(c, "r2")
	s.Pass(t.Context())
	got := s.Reports(push)
	if len(got) != 2 || got[0].Pod != "push-1" || got[1].Pod != "push-2" || got[0].Err != nil || got[1].Err != nil {
		t.Fatalf("got reports %+v", got)
	}
	if got[0].Answer.InFlight != 3 || got[1].Answer.InFlight != 4 || got[1].Answer.LiveRevision != "r2" {
		t.Errorf("got answers %+v and %+v", got[0].Answer, got[1].Answer)
	}
	if len(one.requests) != 1 || one.requests[0].Live != nil {
		t.Errorf("a pod with the current limits was told %+v", one.requests)
	}
	if len(two.requests) != 2 || two.requests[1].Live == nil || two.requests[1].Live.Revision != "r2" {
		t.Errorf("a pod with other limits was told %+v", two.requests)
	}
}

func TestAPodThatCannotBeToldIsStillHeard(t *testing.T) {
	c := valid(t)
	p := startPod(t, "127.0.0.1", 0, c)
	p.answer, p.refuses = worker.SyncResponse{InFlight: 3, LiveRevision: "r1"}, true
	s, expect := newSyncer(t, p.port(), running("push-1", "127.0.0.1"))
	expect(c, "r2")
	s.Pass(t.Context())
	got := s.Reports(push)
	if len(got) != 1 || got[0].Err != nil || got[0].Answer.InFlight != 3 || got[0].Answer.LiveRevision != "r1" {
		t.Fatalf("what it said first is lost: %+v", got)
	}
	if problem := got[0].Answer.LiveProblem; !strings.Contains(problem, "it could not be told: the pod answered 500") {
		t.Errorf("the problem with its limits reads %q", problem)
	}
}

func TestWhoIsNotTheGroupsPodIsNotBelieved(t *testing.T) {
	c := valid(t)
	for name, test := range map[string]struct {
		serves func() workersync.Credentials
		says   string
	}{
		"a certificate of its own": {func() workersync.Credentials {
			other := valid(t)
			other.Token = c.Token
			return other
		}, "certificate"},
		"another token": {func() workersync.Credentials {
			other := c
			other.Token = "another"
			return other
		}, "does not know the group's token"},
	} {
		t.Run(name, func(t *testing.T) {
			impostor := startPod(t, "127.0.0.1", 0, test.serves())
			s, expect := newSyncer(t, impostor.port(), running("push-1", "127.0.0.1"))
			expect(c, "r1")
			s.Pass(t.Context())
			got := s.Reports(push)
			if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), test.says) {
				t.Errorf("got %+v, want an error that says %q", got, test.says)
			}
			if len(impostor.requests) != 0 {
				t.Errorf("it was told %+v", impostor.requests)
			}
		})
	}
}

func TestARotationIsSurvivedByPodsThatHaveNotReadItYet(t *testing.T) {
	old := valid(t)
	late := startPod(t, "127.0.0.1", 0, old)
	renewed, err := old.Renew(serverName, time.Now().Add(61*day))
	if err != nil {
		t.Fatal(err)
	}
	current := workersync.Credentials{Certificate: old.Certificate, Key: old.Key, Token: renewed.Token} // has the new token, serves with either
	early := startPod(t, "127.0.0.2", late.port(), current)
	s, expect := newSyncer(t, late.port(), running("push-1", "127.0.0.1"), running("push-2", "127.0.0.2"))
	expect(old, "r1")
	s.Pass(t.Context())
	expect(renewed, "r1")
	s.Pass(t.Context())
	for _, r := range s.Reports(push) {
		if r.Err != nil {
			t.Errorf("pod %s: %v", r.Pod, r.Err)
		}
	}
	if len(early.requests) == 0 {
		t.Error("the pod with the new token was not asked")
	}
}

func TestWhatIsNotHeardIsNotKnown(t *testing.T) {
	c := valid(t)
	p := startPod(t, "127.0.0.1", 0, c)
	p.answer.InFlight = 7
	s, expect := newSyncer(t, p.port(), running("push-1", "127.0.0.1"))
	expect(c, "")
	s.Pass(t.Context())
	p.server.Close()
	s.Pass(t.Context())
	got := s.Reports(push)
	if len(got) != 1 || got[0].Err == nil || got[0].Answer.InFlight != 0 {
		t.Errorf("an answer of before is taken for one of now: %+v", got)
	}
}

func TestOnlyPodsThatCanAnswerAreAsked(t *testing.T) {
	pending := running("push-1", "")
	pending.Status.Phase = corev1.PodPending
	over := running("push-2", "127.0.0.1")
	over.Status.Phase = corev1.PodSucceeded
	s, expect := newSyncer(t, 1, pending, over)
	expect(valid(t), "r1")
	s.Pass(t.Context())
	if got := s.Reports(push); len(got) != 0 {
		t.Errorf("got reports %+v", got)
	}
}

func TestPodsThatCannotBeListedAreNotKnown(t *testing.T) {
	s := workersync.New(workersync.Config{
		Pods: func(context.Context, types.NamespacedName) ([]corev1.Pod, error) {
			return nil, errors.New("the API server is away")
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	s.Expect(push, workersync.Group{ServerName: serverName, Credentials: valid(t)})
	s.Pass(t.Context())
	if got := s.Reports(push); len(got) != 0 {
		t.Errorf("got reports %+v", got)
	}
	s.Forget(push)
}

func TestOnlyTheLeaderAsks(t *testing.T) {
	s, _ := newSyncer(t, 1)
	if !s.NeedLeaderElection() {
		t.Error("every operator asks")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Start(ctx); err != nil {
		t.Errorf("it did not end with its context: %v", err)
	}
}
