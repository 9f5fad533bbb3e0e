// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
)

// PayRequest pays one order: the body of POST /pay.
type PayRequest struct {
	// Order is created when it is not there yet; its eventType and paidAt are set by the shop.
	Order producer.OrderEvent `json:"order"`
	// Mode, SendMode and Outbox are as in LoadRequest; Mode defaults to decoupled.
	Mode     string `json:"mode,omitempty"`
	SendMode string `json:"sendMode,omitempty"`
	Outbox   bool   `json:"outbox,omitempty"`
}

// PayResponse is the answer of POST /pay: with status 200, or 409, 422 and 502 with an error.
type PayResponse struct {
	OrderID string `json:"orderId"`
	// Told is what the sender of the order's message was told by the end of the request.
	Told  ledger.Told `json:"told,omitempty"`
	Error string      `json:"error,omitempty"`
}

// ServeHTTP implements http.Handler.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Shop) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /pay", s.servePay)
	s.mux.HandleFunc("POST /load", s.serveStartLoad)
	s.mux.HandleFunc("GET /load/{id}", s.withLoad(s.serveLoad))
	s.mux.HandleFunc("DELETE /load/{id}", s.withLoad(func(w http.ResponseWriter, _ *http.Request, l *load) {
		l.stop()
		w.WriteHeader(http.StatusNoContent)
	}))
	s.mux.HandleFunc("GET /load/{id}/samples", s.withLoad(func(w http.ResponseWriter, _ *http.Request, l *load) {
		w.Header().Set("Content-Type", "application/gzip")
		s.logGone(evidence.WriteSamples(w, l.rawSamples()))
	}))
	s.mux.HandleFunc("GET /orders", s.serveOrders)
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}

func (s *Shop) servePay(w http.ResponseWriter, r *http.Request) {
	var req PayRequest
	if err := decode(w, r, &req); err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	if req.Mode == "" {
		req.Mode = "decoupled"
	}
	m, err := s.manner(req.Mode, req.SendMode, req.Outbox)
	if err == nil && (req.Order.ID == "" || len(req.Order.Items) == 0) {
		err = errors.New("the order needs an id and items")
	}
	if err == nil && !s.room(1) {
		err = errTooManyOrders
	}
	if err != nil {
		s.fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	req.Order.EventType = producer.OrderPaid
	if err := s.store.create(r.Context(), req.Order); err != nil {
		s.fail(w, http.StatusInternalServerError, err)
		return
	}
	switch err := s.pay(r.Context(), req.Order, m); {
	case err == nil:
		s.answer(w, http.StatusOK, PayResponse{OrderID: req.Order.ID, Told: s.toldOf(req.Order.ID)})
	case errors.Is(err, ErrAlreadyPaid), errors.Is(err, ErrOutOfStock):
		s.fail(w, http.StatusConflict, err)
	default:
		s.answer(w, http.StatusBadGateway, PayResponse{OrderID: req.Order.ID, Error: err.Error()})
	}
}

func (s *Shop) serveStartLoad(w http.ResponseWriter, r *http.Request) {
	var req LoadRequest
	if err := decode(w, r, &req); err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	l, err := s.startLoad(r.Context(), req)
	if err != nil {
		s.fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	s.answer(w, http.StatusCreated, l.status())
}

// withLoad finds the load a path names.
func (s *Shop) withLoad(serve func(http.ResponseWriter, *http.Request, *load)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		var found *load
		for _, l := range s.loads {
			// A load without stop has not begun, or could not.
			if l.id == r.PathValue("id") && l.stop != nil {
				found = l
			}
		}
		s.mu.Unlock()
		if found == nil {
			s.fail(w, http.StatusNotFound, fmt.Errorf("there is no load %q", r.PathValue("id")))
			return
		}
		serve(w, r, found)
	}
}

func (s *Shop) serveLoad(w http.ResponseWriter, _ *http.Request, l *load) {
	status := l.status()
	s.mu.Lock()
	for id, told := range s.told {
		if strings.HasPrefix(id, l.prefix) {
			status.Told[told]++
		}
	}
	s.mu.Unlock()
	s.answer(w, http.StatusOK, status)
}

func (s *Shop) serveOrders(w http.ResponseWriter, r *http.Request) {
	prefix := ""
	if id := r.URL.Query().Get("load"); id != "" {
		prefix = s.run + "-" + id + "-"
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	err := s.store.paid(r.Context(), prefix, func(o ledger.Order) error {
		o.Told = s.toldOf(o.ID)
		return encoder.Encode(o)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		// The lines are on their way: only a torn connection can still say that they are not all.
		s.logGone(err)
		panic(http.ErrAbortHandler)
	}
}

func decode(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func (s *Shop) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	s.logGone(json.NewEncoder(w).Encode(body))
}

func (s *Shop) fail(w http.ResponseWriter, status int, err error) {
	s.answer(w, status, PayResponse{Error: err.Error()})
}

func (s *Shop) logGone(err error) {
	if err != nil {
		s.cfg.Logger.Warn("answer not written", "error", err)
	}
}
