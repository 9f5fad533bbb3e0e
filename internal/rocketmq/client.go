// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config configures a [Client]. The zero value works: plain TCP, unsigned.
type Config struct {
	// DialContext opens connections; a guard against forbidden addresses or a
	// test plugs in here. Default: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS, when set, is asked before every connection, which fails where it fails
	// and else is made so: authorities that change apply to the connections to
	// come. The server's name is the host that was dialled unless it says
	// otherwise. It must be cheap and safe for concurrent use. Default: plain text.
	TLS func() (*tls.Config, error)
	// Credentials is asked before every request, so that rotated Secrets apply
	// at once. It must be cheap and safe for concurrent use. Default: unsigned.
	Credentials func() Credentials

	// DialTimeout bounds connecting, TLS included. Default 5 s.
	DialTimeout time.Duration
	// WriteTimeout bounds one write; a peer that takes no bytes for so long
	// loses the connection. Default 10 s.
	WriteTimeout time.Duration
	// IdleTimeout: a connection unused for longer is replaced at the next call
	// instead of used. Default 100 s, below the 120 s at which brokers and name
	// servers close, so that no request meets that edge.
	IdleTimeout time.Duration
	// ReadBuffer is how much is read ahead of a connection, in bytes. Default
	// 64 KiB.
	ReadBuffer int
	// MaxFrame bounds frames, sent and received, in bytes. Default
	// [DefaultMaxFrame].
	MaxFrame int

	// MaxBody bounds a message's body after decompression, in bytes; a larger one
	// is undecodable. Default [DefaultMaxBody].
	MaxBody int

	// OnRequest receives what the peer asks of us (members changed, running
	// info, …). It is called in the connection's read loop: it must not block,
	// nor wait for a call. Default: such requests are answered "not supported".
	OnRequest func(*Request)
	// OnClose is told once of every connection that was established and ended,
	// with the cause. It returns before any call on that connection fails and
	// before its successor is dialled, so what a connection carried (member
	// registration) is known to be void when a caller sees an error. It must not
	// block, nor wait for a call.
	OnClose func(addr string, err error)
}

const (
	defaultDialTimeout  = 5 * time.Second
	defaultWriteTimeout = 10 * time.Second
	defaultIdleTimeout  = 100 * time.Second

	// After a failed dial the address is left alone for a while, doubling.
	minRedial = 100 * time.Millisecond
	maxRedial = 2 * time.Second
)

// Client speaks the remoting protocol with any number of name servers and
// brokers, over one connection for each address, with any number of calls in
// flight on it. It is safe for concurrent use.
type Client struct {
	cfg     Config
	ctx     context.Context // ends with the client; bounds dials
	cancel  context.CancelFunc
	running sync.WaitGroup // one for each connection's goroutine
	decoder *Decoder
	signers sync.Pool
	calls   sync.Pool

	mu      sync.Mutex
	closed  bool
	conns   map[string]*conn
	redials map[string]redial
	names   map[string]string // dialled address → name its certificate must bear
}

// redial is what is known of an address that could not be dialled.
type redial struct {
	err   error
	wait  time.Duration
	after time.Time
}

// NewClient returns a client; connections are made by the calls.
func NewClient(cfg Config) *Client {
	if cfg.DialContext == nil {
		cfg.DialContext = new(net.Dialer).DialContext //nolint:forbidigo // for tests and tools: operator and workers pass dial.Broker
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = defaultDialTimeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = defaultWriteTimeout
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdleTimeout
	}
	if cfg.ReadBuffer == 0 {
		cfg.ReadBuffer = defaultReadBuffer
	}
	if cfg.MaxFrame == 0 {
		cfg.MaxFrame = DefaultMaxFrame
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	c := &Client{cfg: cfg, conns: map[string]*conn{}, redials: map[string]redial{}, names: map[string]string{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.decoder = NewDecoder(cfg.MaxBody)
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	c.signers.New = func() any { return new(signer) }
	return c
}

// Close ends every connection and waits for their goroutines. Calls in flight
// and later ones fail with [ErrClosed]. It must not be called from a hook.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	conns := slices.Collect(maps.Values(c.conns))
	c.mu.Unlock()
	for _, k := range conns {
		k.fail(ErrClosed)
	}
	c.cancel()
	c.running.Wait()
}

const (
	// ourLanguage names us to brokers, which list it with our connections.
	ourLanguage = "GO"
	// ourVersion is the lowest for which a broker answers a route (105) in
	// standard JSON.
	ourVersion = 493
)

// Do sends a request to addr (host:port) and waits for the reply. It is what
// every typed method is made of; use it for a request that has none.
//
// A reply whose code is not OK is returned together with an [*Error]. A context
// that ends first makes Do return at once with the context's error; the
// connection lives on and the late reply is dropped.
//
// A request is sent a second time, once, on a new connection, when the one at
// hand was found dead: if the system took not a byte of it, always; if
// it was written to a connection that had no other call in flight and has
// received nothing since (the peer closed it as we wrote), only when repeating
// is harmless. Sending a message and sending one back are not: there the caller
// gets [ErrUnreachable] and decides.
func (c *Client) Do(ctx context.Context, addr string, op Op, fields Fields, body []byte) (*Command, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%v at %s: %w", op, addr, err)
	}
	req := Command{Code: int(op), Language: ourLanguage, Version: ourVersion, Fields: c.sign(fields, body), Body: body}
	for retried := false; ; retried = true {
		k, reused, err := c.conn(ctx, addr)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", op, err)
		}
		reply, fate, err := k.call(ctx, &req)
		if err != nil {
			if !retried && reused && (fate == unsent || fate == unheard && op.repeatable()) {
				continue
			}
			return nil, fmt.Errorf("%v: %w", op, err)
		}
		if reply.Code != int(CodeOK) {
			return reply, &Error{Op: op, Code: Code(reply.Code), Remark: c.withoutCredentials(reply.Remark), Addr: addr}
		}
		return reply, nil
	}
}

// withoutCredentials is what a broker says, without what we are known to it by: of a user it refuses it tells the access key, and errors are read
// by more people than Secrets.
func (c *Client) withoutCredentials(remark string) string {
	if c.cfg.Credentials == nil || remark == "" {
		return remark
	}
	cred := c.cfg.Credentials()
	for _, secret := range []struct{ value, name string }{
		{cred.SecretKey, "<secret key>"}, {cred.SecurityToken, "<security token>"}, {cred.AccessKey, "<access key>"},
	} {
		if secret.value != "" {
			remark = strings.ReplaceAll(remark, secret.value, secret.name)
		}
	}
	return remark
}

func (c *Client) sign(fields Fields, body []byte) Fields {
	if c.cfg.Credentials == nil {
		return fields
	}
	cred := c.cfg.Credentials()
	if cred.AccessKey == "" {
		return fields
	}
	s := c.signers.Get().(*signer)
	defer c.signers.Put(s)
	return s.sign(cred, fields, body)
}

// conn returns the connection of addr, dialled if need be. reused says that it
// was there before this call, so that the peer may have closed it unnoticed.
func (c *Client) conn(ctx context.Context, addr string) (k *conn, reused bool, err error) {
	for {
		c.mu.Lock()
		k = c.conns[addr]
		reused = k != nil
		if !reused {
			if k, err = c.newConn(addr); err != nil {
				c.mu.Unlock()
				return nil, false, &connError{"connect to", addr, err}
			}
		}
		c.mu.Unlock()
		select {
		case <-k.ready:
		case <-ctx.Done():
			return nil, false, fmt.Errorf("connect to %s: %w", addr, ctx.Err())
		}
		if k.dialErr != nil {
			return nil, false, &connError{"connect to", addr, k.dialErr}
		}
		if k.usable(time.Now()) {
			return k, reused, nil
		}
		select {
		case <-k.gone:
		case <-ctx.Done():
			return nil, false, fmt.Errorf("connect to %s: %w", addr, ctx.Err())
		}
	}
}

// newConn starts a connection to addr unless the client is closed or the
// address failed a moment ago. c.mu is held.
func (c *Client) newConn(addr string) (*conn, error) {
	if c.closed {
		return nil, ErrClosed
	}
	if r, failed := c.redials[addr]; failed && time.Now().Before(r.after) {
		return nil, r.err
	}
	k := &conn{
		client:  c,
		addr:    addr,
		ready:   make(chan struct{}),
		gone:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		waiting: map[int32]*call{},
	}
	c.conns[addr] = k
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		k.run()
	}()
	return k, nil
}

// dial connects to addr and remembers a failure, so that the next calls are
// answered at once for a while instead of dialling again.
func (c *Client) dial(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.DialTimeout)
	defer cancel()
	nc, err := c.cfg.DialContext(ctx, "tcp", addr)
	if err == nil && c.cfg.TLS != nil {
		nc, err = c.secure(ctx, nc, addr)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.redials, addr)
		return nc, nil
	}
	if c.closed {
		return nil, ErrClosed
	}
	wait := min(max(2*c.redials[addr].wait, minRedial), maxRedial)
	for old, r := range c.redials {
		if time.Since(r.after) > time.Minute { // nobody asks for it any more
			delete(c.redials, old)
		}
	}
	spread := time.Duration(rand.Int64N(int64(wait) / 4)) // spreads clients, guards nothing
	c.redials[addr] = redial{err: err, wait: wait, after: time.Now().Add(wait - spread)}
	return nil, err
}

// secure makes the TLS handshake, before which nothing of ours is sent.
func (c *Client) secure(ctx context.Context, nc net.Conn, addr string) (net.Conn, error) {
	cfg, err := c.cfg.TLS()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare TLS: %w", err), nc.Close())
	}
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = c.serverName(addr)
	}
	secured := tls.Client(nc, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrHandshake, err), nc.Close())
	}
	return secured, nil
}

// expectName says that addr was resolved from the host name.
func (c *Client) expectName(addr, host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[addr] = host
}

// serverName is the name the certificate of addr must bear: the host name that
// was resolved to it, else its own host.
func (c *Client) serverName(addr string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name := c.names[addr]; name != "" {
		return name
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
