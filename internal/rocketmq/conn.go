// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	defaultReadBuffer = 64 << 10
	// keepBuffer is the largest write buffer kept for the next write.
	keepBuffer = 1 << 20
	// stallTimeout: a peer that owed an answer for so long, said nothing at all
	// meanwhile and let a call run into its deadline is taken for gone. It is
	// above the 15 s a broker holds a long poll. Without it a connection whose
	// other end vanished without a word would be used until the system gives up.
	stallTimeout = 20 * time.Second
)

var (
	errPeerClosed = errors.New("closed by the peer")
	errIdle       = errors.New("unused for long, the peer is about to close it")
	errStalled    = fmt.Errorf("the peer has been silent for %v", stallTimeout)
	errCongested  = errors.New("the peer does not take what is sent")
)

// conn is one connection, from the decision to dial until everybody who waited
// on it has been told. Three goroutines touch it: run (dials, then reads), write,
// and the callers.
type conn struct {
	client *Client
	addr   string
	ready  chan struct{} // closed when dialled, or not
	gone   chan struct{} // closed when out of the client's table
	wake   chan struct{} // there is something to write

	netConn net.Conn // set before ready is closed; nil if dialErr is set
	dialErr error

	mu      sync.Mutex
	cause   error // why it ends; set once, then no call is accepted
	waiting map[int32]*call
	opaque  int32
	pending []byte    // frames not yet handed to the system
	queued  uint64    // bytes of all frames, ever
	taken   uint64    // bytes the system took, ever
	heard   uint64    // frames received, ever
	used    time.Time // last frame, in either direction
	owing   time.Time // first request since the last frame received; zero if none
}

// call is one request waiting for its reply. Calls are pooled: whoever takes it
// out of conn.waiting, its caller or run, is the only one to touch it, and run
// always signals done.
type call struct {
	done  chan struct{} // capacity 1
	reply *Command
	err   error
	fate  fate

	at    uint64 // where its frame begins in the stream
	heard uint64 // conn.heard when it was queued
	alone bool   // no other call was in flight then
}

// fate is what is known of a request whose connection failed.
type fate int

const (
	unknown fate = iota // it may have been carried out
	unsent              // not a byte of it was taken by the system
	unheard             // written to a quiet connection that then closed without a word
)

// call sends the request and waits for its reply or the end of ctx.
func (k *conn) call(ctx context.Context, req *Command) (*Command, fate, error) {
	w := k.client.calls.Get().(*call)
	if fate, err := k.enqueue(req, w); err != nil {
		k.client.calls.Put(w)
		if fate == unsent { // ending: OnClose comes first
			select {
			case <-k.gone:
			case <-ctx.Done():
			}
		}
		return nil, fate, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if k.abandon(req.Opaque, w, ctx.Err()) {
			k.client.calls.Put(w)
			return nil, unknown, fmt.Errorf("wait for the reply of %s: %w", k.addr, ctx.Err())
		}
		<-w.done // the reply came at the same moment
	}
	reply, fate, err := w.reply, w.fate, w.err
	*w = call{done: w.done}
	k.client.calls.Put(w)
	return reply, fate, err
}

// enqueue appends the frame of req to what is to be written.
func (k *conn) enqueue(req *Command, w *call) (fate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cause != nil {
		return unsent, &connError{"use the connection to", k.addr, k.cause}
	}
	at := k.queued
	k.opaque++
	req.Opaque = k.opaque
	if err := k.append(req); err != nil {
		return unknown, err
	}
	now := time.Now()
	if k.owing.IsZero() {
		k.owing = now
	}
	k.used = now
	w.at, w.heard, w.alone = at, k.heard, len(k.waiting) == 0
	k.waiting[req.Opaque] = w
	return unsent, nil
}

// append queues one frame and wakes the writer. k.mu is held.
func (k *conn) append(cmd *Command) error {
	if len(k.pending) > k.client.cfg.MaxFrame {
		return &connError{"write to", k.addr, errCongested}
	}
	before := len(k.pending)
	frames, err := AppendFrame(k.pending, cmd, k.client.cfg.MaxFrame)
	if err != nil {
		return err
	}
	k.pending = frames
	k.queued += uint64(len(frames) - before)
	select {
	case k.wake <- struct{}{}:
	default: // already awake
	}
	return nil
}

// abandon gives up waiting; false means that the reply has just come.
func (k *conn) abandon(opaque int32, w *call, cause error) bool {
	k.mu.Lock()
	mine := k.waiting[opaque] == w
	if mine {
		delete(k.waiting, opaque)
	}
	stalled := mine && errors.Is(cause, context.DeadlineExceeded) && !k.owing.IsZero() && time.Since(k.owing) > stallTimeout
	k.mu.Unlock()
	if stalled {
		k.fail(errStalled)
	}
	return mine
}

// usable reports whether a call may be made on the connection; if not, it is
// ending.
func (k *conn) usable(now time.Time) bool {
	k.mu.Lock()
	ended := k.cause != nil
	idle := len(k.waiting) == 0 && now.Sub(k.used) > k.client.cfg.IdleTimeout
	k.mu.Unlock()
	if !ended && idle {
		k.fail(errIdle)
	}
	return !ended && !idle
}

// fail makes the connection end because of err, unless it is ending already.
func (k *conn) fail(err error) {
	k.mu.Lock()
	if k.cause == nil {
		k.cause = err
	}
	nc := k.netConn
	k.mu.Unlock()
	if nc != nil {
		_ = nc.Close() // the cause is what counts
	}
}

// run is the life of the connection.
func (k *conn) run() {
	nc, err := k.client.dial(k.addr)
	if err == nil {
		k.mu.Lock()
		k.netConn, k.used, err = nc, time.Now(), k.cause
		k.mu.Unlock()
		if err != nil { // the client was closed meanwhile
			_ = nc.Close()
		}
	}
	if err != nil {
		k.dialErr = err
		k.leave()
		close(k.ready)
		return
	}
	close(k.ready)
	stop := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		k.write(stop)
	}()
	k.fail(k.read())
	close(stop)
	<-written
	if hook := k.client.cfg.OnClose; hook != nil {
		hook(k.addr, k.cause)
	}
	k.leave()
	k.release()
}

// leave takes the connection out of the client's table.
func (k *conn) leave() {
	k.client.mu.Lock()
	delete(k.client.conns, k.addr)
	k.client.mu.Unlock()
	close(k.gone)
}

// release tells everybody who waits that the connection has ended.
func (k *conn) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for opaque, w := range k.waiting {
		delete(k.waiting, opaque)
		w.err = &connError{"wait for the reply of", k.addr, k.cause}
		switch {
		case w.at >= k.taken:
			w.fate = unsent
		case w.alone && w.heard == k.heard:
			w.fate = unheard
		}
		w.done <- struct{}{}
	}
}

// read hands replies to their callers until the connection fails.
func (k *conn) read() error {
	r := bufio.NewReaderSize(k.netConn, k.client.cfg.ReadBuffer)
	for {
		cmd, err := ReadFrame(r, k.client.cfg.MaxFrame)
		if errors.Is(err, io.EOF) {
			return errPeerClosed
		}
		if err != nil {
			return err
		}
		k.mu.Lock()
		k.heard++
		k.used, k.owing = time.Now(), time.Time{}
		w := k.waiting[cmd.Opaque]
		if cmd.IsReply() {
			delete(k.waiting, cmd.Opaque)
		}
		k.mu.Unlock()
		switch {
		case !cmd.IsReply():
			k.request(cmd)
		case w != nil:
			w.reply = cmd
			w.done <- struct{}{}
		}
	}
}

// write hands what is pending to the system, all of it at a time.
func (k *conn) write(stop <-chan struct{}) {
	var frames []byte
	for {
		select {
		case <-k.wake:
		case <-stop:
			return
		}
		k.mu.Lock()
		frames, k.pending = k.pending, frames[:0]
		k.mu.Unlock()
		n, err := 0, k.netConn.SetWriteDeadline(time.Now().Add(k.client.cfg.WriteTimeout))
		if err == nil {
			n, err = k.netConn.Write(frames)
		}
		k.mu.Lock()
		k.taken += uint64(n)
		k.mu.Unlock()
		if err != nil {
			k.fail(fmt.Errorf("write: %w", err))
			return
		}
		if cap(frames) > keepBuffer {
			frames = nil
		}
	}
}

// Request is something the peer asks of us on a connection we opened.
type Request struct {
	*Command
	// Addr is the peer.
	Addr string
	conn *conn
}

// Op is what is asked.
func (r *Request) Op() Op { return Op(r.Code) }

// Reply answers the request; it does not block and may be called from any
// goroutine, once. A one-way request has no answer: nothing is sent. The error
// is one of the connection, on which the peer no longer waits anyway.
func (r *Request) Reply(code Code, remark string, body []byte) error {
	if r.IsOneWay() {
		return nil
	}
	k := r.conn
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cause != nil {
		return &connError{"reply to", k.addr, k.cause}
	}
	return k.append(&Command{Code: int(code), Language: ourLanguage, Version: ourVersion, Opaque: r.Opaque, Flag: flagReply, Remark: remark, Body: body})
}

func (k *conn) request(cmd *Command) {
	req := &Request{Command: cmd, Addr: k.addr, conn: k}
	if hook := k.client.cfg.OnRequest; hook != nil {
		hook(req)
		return
	}
	_ = req.Reply(CodeNotSupported, "this client answers no requests", nil) // a dead connection is read's to find
}
