// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody  = 1 << 20
	bigBytes = 10 << 20
	// dripPause is the time between two bytes of mode "drip".
	dripPause = time.Second
)

// request is what the stub reads of a provider call's body.
type request struct {
	OrderID string `json:"orderId"`
	Order   struct {
		ID string `json:"id"`
	} `json:"order"`
	Parameters struct {
		OrderID string `json:"orderId"`
	} `json:"parameters"`
}

// provide plays one call: read, decide, work, record, answer.
func (s *Server) provide(w http.ResponseWriter, r *http.Request, i int) {
	arrived := time.Since(s.calls.epoch)
	p := s.plan(i)
	orderID, err := readOrderID(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	if !s.calls.reserve() {
		s.fail(w, http.StatusInsufficientStorage, errors.New("the stub has no room to record more calls"))
		return
	}
	call := compactCall{at: arrived, action: uint8(i), orderID: orderID, key: r.Header.Get("Idempotency-Key")}
	mode := p.behaviour.Mode
	if p.limited {
		call.status = http.StatusTooManyRequests
		s.calls.add(call, false)
		s.refuse(w, p.behaviour, http.StatusTooManyRequests)
		return
	}
	switch mode {
	case Down:
		s.calls.add(call, false)
		s.reset(w)
		return
	case Blackhole:
		s.calls.add(call, false)
		<-r.Context().Done()
		return
	}
	// A provider at work does not notice that its caller has gone.
	s.work(i, p)
	switch mode {
	case Healthy, Drip, Big:
		call.accepted = true
		call.status = http.StatusOK
	case Garbage, Error200:
		call.status = http.StatusOK
	case Status:
		call.status = int16(p.behaviour.Status)
	case Redirect:
		call.status = http.StatusTemporaryRedirect
	}
	effect := s.calls.add(call, p.behaviour.HonourKeys)
	s.reply(w, r, p.behaviour, orderID, !effect)
}

// work takes the latency, and longer while there are more calls at once than the action's capacity.
func (s *Server) work(i int, p plan) {
	s.mu.Lock()
	s.working[i]++
	takes := p.behaviour.crowded(p.latency, s.working[i])
	s.mu.Unlock()
	<-time.After(takes)
	s.mu.Lock()
	s.working[i]--
	s.mu.Unlock()
}

// reply writes what the mode's provider answers after its work.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, b Behaviour, orderID string, duplicate bool) {
	ok := map[string]any{"code": "OK", "id": orderID, "duplicate": duplicate}
	switch b.Mode {
	case Healthy:
		s.answer(w, http.StatusOK, ok)
	case Status:
		s.refuse(w, b, b.Status)
	case Redirect:
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	case Error200:
		s.answer(w, http.StatusOK, map[string]string{"code": "SYSTEM_ERROR", "message": "try again later"})
	case Big:
		ok["padding"] = strings.Repeat("x", bigBytes)
		s.answer(w, http.StatusOK, ok)
	case Garbage:
		w.Header().Set("Content-Type", "application/json")
		s.write(w, []byte("<html>\x00\xff it works!"))
	case Drip:
		s.drip(w, r, ok)
	case Reset:
		w.Header().Set("Content-Length", "1000")
		s.write(w, []byte(`{"code":"OK",`))
		s.flush(w)
		s.reset(w)
	}
}

func (s *Server) drip(w http.ResponseWriter, r *http.Request, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		s.fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(encoded)))
	for i := range encoded {
		s.write(w, encoded[i:i+1])
		s.flush(w)
		select {
		case <-r.Context().Done():
			return
		case <-time.After(dripPause):
		}
	}
}

func (s *Server) refuse(w http.ResponseWriter, b Behaviour, status int) {
	if b.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(time.Duration(b.RetryAfter).Seconds()))))
	}
	s.fail(w, status, errors.New(http.StatusText(status)))
}

// reset ends the connection as a dying provider's kernel does: with a reset instead of an orderly end.
func (s *Server) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.logger.Warn("connection not reset", "error", err)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		s.logger.Warn("connection not reset", "error", err)
	}
}

func (s *Server) write(w io.Writer, data []byte) {
	if _, err := w.Write(data); err != nil {
		s.logger.Debug("caller has gone", "error", err)
	}
}

func (s *Server) flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		s.logger.Debug("caller has gone", "error", err)
	}
}

// readOrderID answers the order a provider call is about.
func readOrderID(r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return "", err
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return "", errors.New("the body is not a JSON object: " + err.Error())
	}
	id := cmp.Or(req.OrderID, req.Order.ID, req.Parameters.OrderID)
	if id == "" {
		return "", errors.New(`the body names no order: give "orderId", "order" with its "id", or "parameters" with "orderId"`)
	}
	return id, nil
}

// decodeStrict decodes over what is there and refuses fields it does not know.
func decodeStrict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
