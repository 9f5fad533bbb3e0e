// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// defaultCallLimit is about 200 MB of recorded calls.
const defaultCallLimit = 2_000_000

// Config is what a Server needs; the zero value is usable.
type Config struct {
	// Seed makes latencies repeatable.
	Seed uint64
	// CallLimit bounds the recorded calls; default 2,000,000.
	CallLimit int
	// Logger defaults to slog's default logger.
	Logger *slog.Logger
}

// Server plays all providers. It is an http.Handler.
type Server struct {
	mux    *http.ServeMux
	calls  *recorder
	logger *slog.Logger

	mu      sync.Mutex
	random  *rand.Rand
	actions []action
	working []int                    // calls that each action is at work for
	limits  map[string]*rate.Limiter // by provider
}

// action is an actionDef and how it behaves now.
type action struct {
	actionDef
	behaviour Behaviour
}

// New makes a server whose providers are all healthy.
func New(cfg Config) *Server {
	if cfg.CallLimit == 0 {
		cfg.CallLimit = defaultCallLimit
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		mux: http.NewServeMux(), calls: newRecorder(cfg.CallLimit), logger: cfg.Logger,
		random: rand.New(rand.NewPCG(cfg.Seed, 0)), working: make([]int, len(actionDefs)),
	}
	s.heal()
	for i, def := range actionDefs {
		s.mux.HandleFunc("POST /"+def.provider+"/"+def.name, func(w http.ResponseWriter, r *http.Request) { s.provide(w, r, i) })
	}
	s.mux.HandleFunc("GET /control/{provider}", s.getControl)
	s.mux.HandleFunc("GET /control/{provider}/{action}", s.getControl)
	s.mux.HandleFunc("PUT /control/{provider}", s.putControl)
	s.mux.HandleFunc("PUT /control/{provider}/{action}", s.putControl)
	s.mux.HandleFunc("GET /calls", s.getCalls)
	s.mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, s.calls.stats()) })
	s.mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.calls.reset()
		s.heal()
		w.WriteHeader(http.StatusNoContent)
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// heal makes every action healthy and every account unlimited.
func (s *Server) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions, s.limits = nil, map[string]*rate.Limiter{}
	for _, def := range actionDefs {
		s.actions = append(s.actions, action{actionDef: def, behaviour: healthy(def.latency)})
	}
}

// plan is how one call will go.
type plan struct {
	behaviour Behaviour
	latency   time.Duration
	limited   bool
}

func (s *Server) plan(i int) plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.actions[i]
	p := plan{behaviour: a.behaviour}
	if share := a.behaviour.Share; share > 0 && s.random.Float64() >= share {
		p.behaviour.Mode = Healthy
	}
	p.latency = time.Duration(float64(a.behaviour.Latency) * math.Exp(a.behaviour.Sigma*s.random.NormFloat64()))
	if limit := s.limits[a.provider]; limit != nil && p.behaviour.Mode != Down && p.behaviour.Mode != Blackhole {
		p.limited = !limit.Allow()
	}
	return p
}

// errNoSuchAction is the answer to a control of something that does not exist.
var errNoSuchAction = errors.New("no such provider or action")

// selected are the indexes of the actions a control path names.
func selected(r *http.Request) []int {
	var found []int
	for i, def := range actionDefs {
		if def.provider == r.PathValue("provider") && (r.PathValue("action") == "" || r.PathValue("action") == def.name) {
			found = append(found, i)
		}
	}
	return found
}

func (s *Server) getControl(w http.ResponseWriter, r *http.Request) {
	found := selected(r)
	if len(found) == 0 {
		s.fail(w, http.StatusNotFound, errNoSuchAction)
		return
	}
	s.mu.Lock()
	out := map[string]Behaviour{}
	for _, i := range found {
		out[s.actions[i].name] = s.actions[i].behaviour
	}
	s.mu.Unlock()
	s.answer(w, http.StatusOK, out)
}

// putControl changes all actions the path names, or none when one would be wrong.
func (s *Server) putControl(w http.ResponseWriter, r *http.Request) {
	found := selected(r)
	if len(found) == 0 {
		s.fail(w, http.StatusNotFound, errNoSuchAction)
		return
	}
	var update json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&update); err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make([]Behaviour, len(found))
	for n, i := range found {
		changed[n] = s.actions[i].behaviour
		if err := decodeStrict(update, &changed[n]); err != nil {
			s.fail(w, http.StatusBadRequest, err)
			return
		}
		if err := changed[n].validate(); err != nil {
			s.fail(w, http.StatusBadRequest, err)
			return
		}
	}
	before := s.actions[found[0]].behaviour
	for n, i := range found {
		s.actions[i].behaviour = changed[n]
	}
	if now := changed[0]; now.RatePerSecond != before.RatePerSecond || now.Burst != before.Burst {
		s.limit(actionDefs[found[0]].provider, now)
	}
	w.WriteHeader(http.StatusNoContent)
}

// limit gives the provider's whole account the limit of b. The caller holds the lock.
func (s *Server) limit(provider string, b Behaviour) {
	for i := range s.actions {
		if s.actions[i].provider == provider {
			s.actions[i].behaviour.RatePerSecond, s.actions[i].behaviour.Burst = b.RatePerSecond, b.Burst
		}
	}
	delete(s.limits, provider)
	if b.RatePerSecond > 0 {
		s.limits[provider] = rate.NewLimiter(rate.Limit(b.RatePerSecond), max(b.Burst, 1))
	}
}

func (s *Server) getCalls(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	provider := r.URL.Query().Get("provider")
	for _, c := range s.calls.snapshot() {
		if provider != "" && provider != actionDefs[c.action].provider {
			continue
		}
		if err := encoder.Encode(s.calls.export(c)); err != nil {
			return // The reader has gone.
		}
	}
	if err := out.Flush(); err != nil {
		s.logger.Debug("reader of calls has gone", "error", err)
	}
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.logger.Debug("caller has gone", "error", err)
	}
}

func (s *Server) fail(w http.ResponseWriter, status int, err error) {
	s.answer(w, status, map[string]string{"code": fmt.Sprint(status), "message": err.Error()})
}
