// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/port"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Config shapes a cluster; its zero value is one broker with the defaults of a
// real one.
type Config struct {
	// Brokers is the number of masters, named broker-a, broker-b, …; default 1.
	Brokers int
	// Properties are added to what brokers say of their configuration.
	Properties map[string]string
	// DelayLevels are what sending back may wait; default 1s 5s 10s 30s 1m …
	DelayLevels []time.Duration
	// LockExpiry is how long a queue stays locked; default 60 s.
	LockExpiry time.Duration
	// TransactionTimeout is when a broker first asks what became of a message in a transaction, CheckInterval when again; default 6 s and
	// 30 s.
	TransactionTimeout, CheckInterval time.Duration
	// MaxPull and MaxPullBytes bound the messages of one pull, but for its first;
	// default 32 and 256 KiB.
	MaxPull, MaxPullBytes int
	// Credentials, when set, must have signed every request to a broker.
	Credentials rocketmq.Credentials
	// TLS, when set, is what name server and brokers speak, and nothing else.
	TLS *tls.Config
	// CountOnly: requests are counted and not kept, for runs of millions.
	CountOnly bool
}

// Cluster is a name server and its brokers.
type Cluster struct {
	cfg    Config
	ctx    context.Context // ends with the cluster
	cancel context.CancelFunc
	open   func() (net.Listener, error)
	served sync.WaitGroup

	mu       sync.Mutex
	sessions map[*session]bool
	routes   map[string]bool // topics the name server lists
	faults   []*Fault
	calls    []Call
	count    int
	ahead    time.Duration // of the brokers' clocks
	elapsed  chan struct{} // closed once no message waits any longer
	names    *nameServer
	brokers  []*Broker
}

// host is what answers at an address.
type host interface {
	name() string
	handle(*session, *rocketmq.Command) answer
	gone(*session)
}

// Start runs a cluster on loopback ports until the test ends.
func Start(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	return start(t, cfg, func() (net.Listener, error) { return port.Listen("127.0.0.1") })
}

// StartInMemory runs a cluster without ports until the test ends: only
// [Cluster.DialContext] reaches it.
func StartInMemory(t testing.TB, cfg Config) *Cluster {
	t.Helper()
	n := 0
	return start(t, cfg, func() (net.Listener, error) {
		n++
		return newPipeListener(fmt.Sprintf("192.0.2.%d:10911", n)), nil
	})
}

func start(t testing.TB, cfg Config, open func() (net.Listener, error)) *Cluster {
	t.Helper()
	c := &Cluster{cfg: withDefaults(cfg), open: open, sessions: map[*session]bool{}, routes: map[string]bool{}, elapsed: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.names = &nameServer{endpoint{cluster: c}}
	if err := c.names.listen(c.names); err != nil {
		t.Fatal(err)
	}
	for i := range c.cfg.Brokers {
		b := newBroker(c, "broker-"+string(rune('a'+i)))
		c.brokers = append(c.brokers, b)
		if err := b.listen(b); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.close)
	return c
}

func withDefaults(cfg Config) Config {
	if cfg.Brokers == 0 {
		cfg.Brokers = 1
	}
	cfg.Properties = maps.Clone(cfg.Properties)
	if cfg.Properties == nil {
		cfg.Properties = map[string]string{}
	}
	if cfg.DelayLevels == nil {
		for _, s := range []int{1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200} {
			cfg.DelayLevels = append(cfg.DelayLevels, time.Duration(s)*time.Second)
		}
	}
	if cfg.LockExpiry == 0 {
		cfg.LockExpiry = time.Minute
	}
	cfg.TransactionTimeout = cmp.Or(cfg.TransactionTimeout, 6*time.Second)
	cfg.CheckInterval = cmp.Or(cfg.CheckInterval, 30*time.Second)
	if cfg.MaxPull == 0 {
		cfg.MaxPull = 32
	}
	if cfg.MaxPullBytes == 0 {
		cfg.MaxPullBytes = 256 << 10
	}
	return cfg
}

func (c *Cluster) close() {
	c.cancel()
	c.names.shut()
	for _, b := range c.brokers {
		b.shut()
	}
	c.Cut("")
	c.served.Wait()
}

// NameServer is the address of the name server.
func (c *Cluster) NameServer() string { return c.names.addr }

// Brokers are the masters, by name.
func (c *Cluster) Brokers() []*Broker { return c.brokers }

// Broker is the first master.
func (c *Cluster) Broker() *Broker { return c.brokers[0] }

// SetProperty changes what brokers say of their configuration, and do.
func (c *Cluster) SetProperty(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Properties[name] = value
}

// SetClock puts the brokers' clocks, by which they say when a message was stored,
// ahead of the process's, or behind it.
func (c *Cluster) SetClock(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

// Elapse ends the delays of all messages that wait, and of those that come after.
func (c *Cluster) Elapse() { close(c.elapsed) }

// DialContext connects to the cluster's addresses as a net.Dialer would.
func (c *Cluster) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	var in *pipeListener
	for _, e := range c.endpoints() {
		if e.addr == addr {
			in, _ = e.listener.(*pipeListener)
		}
	}
	c.mu.Unlock()
	if in == nil {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return in.dial(ctx)
}

func (c *Cluster) endpoints() []*endpoint {
	all := []*endpoint{&c.names.endpoint}
	for _, b := range c.brokers {
		all = append(all, &b.endpoint)
	}
	return all
}

// Cut breaks the connections to the broker of that name ("" = all of them and
// those to the name server), as a network does.
func (c *Cluster) Cut(broker string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.sessions {
		if broker == "" || s.host.name() == broker {
			_ = s.conn.Close() // the session finds out
		}
	}
}

// endpoint is an address and what accepts connections there.
type endpoint struct {
	cluster  *Cluster
	addr     string
	listener net.Listener
}

// listen opens the endpoint, at its old address if it had one.
func (e *endpoint) listen(h host) error {
	c := e.cluster
	var l net.Listener
	var err error
	_, inMemory := e.listener.(*pipeListener)
	switch {
	case e.addr == "":
		l, err = c.open()
	case inMemory:
		l = newPipeListener(e.addr)
	default:
		l, err = net.Listen("tcp", e.addr)
	}
	if err != nil {
		return fmt.Errorf("listen for the fake %s: %w", h.name(), err)
	}
	c.mu.Lock()
	e.addr, e.listener = l.Addr().String(), l
	c.mu.Unlock()
	c.served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			if c.cfg.TLS != nil {
				conn = tls.Server(conn, c.cfg.TLS) // the first read makes the handshake
			}
			c.served.Go(func() { c.serve(h, conn) })
		}
	})
	return nil
}

func (e *endpoint) shut() { _ = e.listener.Close() } // it may be shut already

// pipeListener accepts net.Pipe connections.
type pipeListener struct {
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

type pipeAddr string

func (a pipeAddr) Network() string { return "pipe" }
func (a pipeAddr) String() string  { return string(a) }

func newPipeListener(addr string) *pipeListener {
	return &pipeListener{addr: pipeAddr(addr), conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Addr() net.Addr { return l.addr }

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

var errRefused = errors.New("connection refused")

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Fault befalls calls.
type Fault struct {
	// Op is the request it befalls; 0 is any.
	Op rocketmq.Op
	// Host is the broker's name, or "namesrv"; "" is any.
	Host string
	// Times is how many calls it befalls; 0 is all from now on.
	Times int

	// Delay passes before anything else happens.
	Delay time.Duration
	// Late lets the request be carried out before the fault strikes: its reply
	// is what gets lost.
	Late bool
	// Code is answered, with Remark; 0 leaves the answer alone.
	Code   rocketmq.Code
	Remark string
	// Hang gives no answer. Cut ends the connection instead of answering.
	Hang, Cut bool
}

// Inject adds a fault; of several that fit, the first strikes.
func (c *Cluster) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &f)
}

// Heal removes all faults.
func (c *Cluster) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// Call is a request that was received.
type Call struct {
	At     time.Time
	Host   string
	Op     rocketmq.Op
	Fields rocketmq.Fields
	Body   []byte
}

// Calls are the requests received so far with that code, or all if it is 0.
func (c *Cluster) Calls(op rocketmq.Op) []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.calls), func(call Call) bool { return op != 0 && call.Op != op })
}

// Count is the number of requests received so far.
func (c *Cluster) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// record logs a call and takes the fault that befalls it.
func (c *Cluster) record(h host, req *rocketmq.Command) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	op := rocketmq.Op(req.Code)
	c.count++
	if !c.cfg.CountOnly {
		c.calls = append(c.calls, Call{At: time.Now(), Host: h.name(), Op: op, Fields: req.Fields, Body: req.Body})
	}
	for i, f := range c.faults {
		if f.Op != 0 && f.Op != op || f.Host != "" && f.Host != h.name() {
			continue
		}
		if f.Times == 1 {
			c.faults = slices.Delete(c.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		struck := *f
		return &struck
	}
	return nil
}
