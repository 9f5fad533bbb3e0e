// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// version is the protocol version a 5.5.0 broker sends.
const version = 513

// answer is what a request is answered with.
type answer struct {
	code   rocketmq.Code
	remark string
	fields rocketmq.Fields
	body   []byte
}

func refuse(code rocketmq.Code, format string, args ...any) answer {
	return answer{code: code, remark: fmt.Sprintf(format, args...)}
}

// answerJSON answers with v.
func answerJSON(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	return answer{body: body}
}

// session is one connection.
type session struct {
	host host
	conn net.Conn
	done chan struct{} // closed when it ends
	wake chan struct{}

	mu      sync.Mutex
	pending []byte
	opaque  int32
	relayed map[int32]chan *rocketmq.Command // requests of ours to the client
}

// serve is the life of a connection.
func (c *Cluster) serve(h host, conn net.Conn) {
	s := &session{host: h, conn: conn, done: make(chan struct{}), wake: make(chan struct{}, 1), relayed: map[int32]chan *rocketmq.Command{}}
	c.mu.Lock()
	if c.ctx.Err() != nil {
		c.mu.Unlock()
		_ = conn.Close()
		return
	}
	c.sessions[s] = true
	c.mu.Unlock()
	var running sync.WaitGroup
	running.Go(s.write)
	s.read(c, &running)
	_ = conn.Close()
	close(s.done)
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
	h.gone(s)
	running.Wait()
}

func (s *session) read(c *Cluster, running *sync.WaitGroup) {
	r := bufio.NewReader(s.conn)
	for {
		req, err := rocketmq.ReadFrame(r, rocketmq.DefaultMaxFrame)
		if err != nil {
			return // the client has gone
		}
		if req.IsReply() {
			s.mu.Lock()
			reply := s.relayed[req.Opaque]
			delete(s.relayed, req.Opaque)
			s.mu.Unlock()
			if reply != nil {
				reply <- req
			}
			continue
		}
		f := c.record(s.host, req)
		running.Go(func() { s.handle(f, req) })
	}
}

// handle answers one request, if the fault lets it.
func (s *session) handle(f *Fault, req *rocketmq.Command) {
	if f == nil {
		s.reply(req, s.host.handle(s, req))
		return
	}
	if f.Delay > 0 && !s.wait(f.Delay) {
		return
	}
	var a answer
	if f.Late || !f.Hang && !f.Cut && f.Code == 0 {
		a = s.host.handle(s, req)
	}
	switch {
	case f.Hang:
	case f.Cut:
		_ = s.conn.Close() // read finds out
	case f.Code != 0:
		s.reply(req, answer{code: f.Code, remark: f.Remark})
	default:
		s.reply(req, a)
	}
}

// wait lets d pass; false means that the connection ended before.
func (s *session) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

func (s *session) reply(req *rocketmq.Command, a answer) {
	if req.IsOneWay() {
		return
	}
	s.send(&rocketmq.Command{Code: int(a.code), Opaque: req.Opaque, Flag: 1, Remark: a.remark, Fields: a.fields, Body: a.body})
}

// notify sends the client a request that wants no reply.
func (s *session) notify(op rocketmq.Op, fields rocketmq.Fields) {
	s.send(&rocketmq.Command{Code: int(op), Flag: 2, Fields: fields})
}

// relayTimeout is how long a member may take to answer an administrator.
const relayTimeout = 10 * time.Second

// relay asks the client and waits for its answer.
func (s *session) relay(req *rocketmq.Command) answer {
	reply := make(chan *rocketmq.Command, 1)
	s.mu.Lock()
	s.opaque++
	opaque := s.opaque
	s.relayed[opaque] = reply
	s.mu.Unlock()
	s.send(&rocketmq.Command{Code: req.Code, Opaque: opaque, Fields: req.Fields, Body: req.Body})
	timer := time.NewTimer(relayTimeout)
	defer timer.Stop()
	select {
	case r := <-reply:
		return answer{code: rocketmq.Code(r.Code), remark: r.Remark, fields: r.Fields, body: r.Body}
	case <-timer.C:
	case <-s.done:
	}
	return refuse(rocketmq.CodeConsumeTimeout, "the consumer does not answer")
}

func (s *session) send(cmd *rocketmq.Command) {
	cmd.Language, cmd.Version = "JAVA", version
	s.mu.Lock()
	defer s.mu.Unlock()
	frames, err := rocketmq.AppendFrame(s.pending, cmd, rocketmq.DefaultMaxFrame)
	if err != nil {
		_ = s.conn.Close() // nobody would get an answer
		return
	}
	s.pending = frames
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) write() {
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		s.mu.Lock()
		frames := s.pending
		s.pending = nil
		s.mu.Unlock()
		if _, err := s.conn.Write(frames); err != nil {
			_ = s.conn.Close() // read finds out
			return
		}
	}
}
