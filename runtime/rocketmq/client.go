// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Client needs.
type Config struct {
	// NameServers are host:port pairs; host names are resolved again and again.
	NameServers []string
	// Topic must exist: the client never lets a broker create it.
	Topic string
	// Group is the producer group.
	Group string
	// SendTimeout bounds one send. Default 3 s.
	SendTimeout time.Duration
	// MaxPending bounds the messages that wait for the broker's answer. Default 4096.
	MaxPending int
	// MaxPendingBytes bounds their bodies. Default 64 MiB; less than one largest message (4 MiB) is refused.
	MaxPendingBytes int
	// OrderQueues are all queues over which messages with an OrderKey are spread, whether or not their brokers are there. Default:
	// those that were seen since the client started.
	OrderQueues []OrderQueues
	// Credentials sign every request; the zero value signs nothing.
	Credentials Credentials
	// Logger gets what the client and the library say. Default: slog's default logger.
	Logger *slog.Logger
	// Lookup resolves a host name. Default: net.DefaultResolver.LookupNetIP.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Credentials are an ACL user's.
type Credentials struct {
	AccessKey, SecretKey string
	// SecurityToken must be empty: see the package's limits.
	SecurityToken string
}

func (c Config) withDefaults() Config {
	if c.SendTimeout == 0 {
		c.SendTimeout = 3 * time.Second
	}
	if c.MaxPending == 0 {
		c.MaxPending = 4096
	}
	if c.MaxPendingBytes == 0 {
		c.MaxPendingBytes = 64 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Lookup == nil {
		c.Lookup = net.DefaultResolver.LookupNetIP
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if len(c.NameServers) == 0 {
		errs = append(errs, errors.New("no name server: give at least one as host:port"))
	}
	for _, server := range c.NameServers {
		if host, port, err := net.SplitHostPort(server); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("name server %q is not of the form host:port", server))
		}
	}
	if c.Topic == "" || c.Group == "" {
		errs = append(errs, errors.New("topic and producer group are both needed"))
	}
	if c.SendTimeout < 0 || c.MaxPending < 0 {
		errs = append(errs, errors.New("send timeout and pending messages cannot be negative"))
	}
	if c.MaxPendingBytes < maxBodyBytes {
		errs = append(errs, fmt.Errorf("pending bytes %d are less than one largest message (%d)", c.MaxPendingBytes, maxBodyBytes))
	}
	errs = append(errs, validateOrderQueues(c.OrderQueues))
	if (c.Credentials.AccessKey == "") != (c.Credentials.SecretKey == "") {
		errs = append(errs, errors.New("access key and secret key belong together: one of them is missing"))
	}
	if c.Credentials.SecurityToken != "" {
		errs = append(errs, errors.New("security tokens are not supported: the RocketMQ library leaves them out of the "+
			"signature and every request would be refused; use an access key without a token"))
	}
	return errors.Join(errs...)
}

// Client sends to one topic. It is safe for concurrent use; one per process and topic is enough.
type Client struct {
	cfg      Config
	resolver *resolver
	ids      *IDs
	room     *room
	lines    *lines
	keyed    *keyedQueues

	library atomic.Pointer[libraryProducer] // set once, when ready
	ready   chan struct{}
	cause   atomic.Pointer[error] // why it is not ready; for the caller's error

	stop    context.CancelFunc
	stopped chan struct{}
	closing sync.Once
}

// New starts a client and returns without waiting for the cluster. The error lists everything wrong with the
// configuration. Close it when done.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("rocketmq client: %w", err)
	}
	useLogger(cfg.Logger)
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{
		cfg:      cfg,
		resolver: &resolver{servers: cfg.NameServers, lookup: cfg.Lookup, logger: cfg.Logger},
		ids:      NewIDs(),
		room:     newRoom(cfg.MaxPending, cfg.MaxPendingBytes),
		lines:    newLines(),
		keyed:    newKeyedQueues(cfg.OrderQueues),
		ready:    make(chan struct{}),
		stop:     stop,
		stopped:  make(chan struct{}),
	}
	go c.connect(ctx)
	return c, nil
}

// WaitReady waits until the topic is located. Its error is ErrNotReady with the latest reason, or ErrClosed.
func (c *Client) WaitReady(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.stopped:
		return ErrClosed
	case <-ctx.Done():
		return c.notReady()
	}
}

func (c *Client) notReady() error {
	if cause := c.cause.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, *cause)
	}
	return ErrNotReady
}

// Pending is the number of messages that wait for the broker's answer.
func (c *Client) Pending() int { return c.room.pending() }

// Close refuses new messages, waits until every accepted one has ended (at most the send timeout and its slack) and
// disconnects. Closing again does nothing.
func (c *Client) Close() {
	c.closing.Do(func() {
		<-c.room.close()
		c.stop()
	})
	<-c.stopped
}

// NewID makes an ID for Message.ID.
func (c *Client) NewID() string { return c.ids.New() }
