// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resolver looks up host names; [net.Resolver] is one.
type Resolver interface {
	LookupHost(ctx context.Context, host string) (addrs []string, err error)
}

// Cluster finds brokers and routes through name servers. It asks one, the one
// that answered last, and goes on to the next when it does not answer. Host names
// are looked up again every half minute and after each failure, so that name
// servers may move. It is safe for concurrent use.
type Cluster struct {
	client   *Client
	resolver Resolver
	servers  []server

	mu       sync.Mutex
	resolved time.Time
	addrs    []string // ip:port, the one that answered last in front
}

// server is a name server as configured.
type server struct{ host, port string }

const (
	resolveEvery = 30 * time.Second
	// lookupTimeout bounds a look-up while addresses are known, so that it leaves time to ask them.
	lookupTimeout = time.Second
)

// NewCluster returns a cluster behind name servers given as host:port, each
// optionally after "http://". A nil resolver is the system's.
func NewCluster(client *Client, nameServers []string, resolver Resolver) (*Cluster, error) {
	if len(nameServers) == 0 {
		return nil, errors.New("no name server is given")
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	c := &Cluster{client: client, resolver: resolver}
	for _, addr := range nameServers {
		s, err := parseServer(addr)
		if err != nil {
			return nil, fmt.Errorf("the name server %q: %w", addr, err)
		}
		c.servers = append(c.servers, s)
	}
	return c, nil
}

// parseServer checks what can be checked without asking anybody.
func parseServer(addr string) (server, error) {
	plain := strings.TrimPrefix(strings.TrimSpace(addr), "http://")
	if strings.Contains(plain, "://") || strings.ContainsAny(plain, "/;, ") {
		return server{}, errors.New("write one host:port, without a path; several are several entries")
	}
	host, port, err := net.SplitHostPort(plain)
	if err != nil || host == "" {
		return server{}, errors.New("write host:port, for example mq-namesrv:9876 or [fd00::1]:9876")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return server{}, fmt.Errorf("the port %q is not a number from 1 to 65535", port)
	}
	return server{host, port}, nil
}

// Route reads where a topic's queues are; [ErrNotFound] if no name server knows
// the topic (yet: brokers tell them within seconds, at most 30 s).
func (c *Cluster) Route(ctx context.Context, topic string) (Route, error) {
	var r Route
	err := c.ask(ctx, OpRoute, Fields{{"topic", topic}}, &r)
	slices.SortFunc(r.Queues, func(a, b RouteQueues) int { return cmp.Compare(a.Broker, b.Broker) })
	return r, err
}

// Info reads all brokers that the name server knows to be alive.
func (c *Cluster) Info(ctx context.Context) (ClusterInfo, error) {
	var info ClusterInfo
	return info, c.ask(ctx, OpClusterInfo, nil, &info)
}

// Masters lists the brokers that have a master, by name; name narrows them to
// one RocketMQ cluster unless it is empty. [ErrNotFound] if there is none.
func (c *Cluster) Masters(ctx context.Context, name string) ([]Broker, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return nil, err
	}
	masters := info.Masters(name)
	if len(masters) == 0 {
		return nil, fmt.Errorf("list the master brokers of %q: the name server knows none: %w", name, ErrNotFound)
	}
	return masters, nil
}

// TopicNames lists the topics of all brokers, RocketMQ's own included.
func (c *Cluster) TopicNames(ctx context.Context) ([]string, error) {
	var reply struct {
		Names []string `json:"topicList"`
	}
	err := c.ask(ctx, OpTopicNames, nil, &reply)
	slices.Sort(reply.Names)
	return reply.Names, err
}

// DeleteRoute makes every name server forget a topic that was deleted from every
// broker; without it they keep listing the topic. Not knowing it is no error.
func (c *Cluster) DeleteRoute(ctx context.Context, topic string) error {
	addrs, err := c.lookup(ctx, true)
	if err != nil {
		return err
	}
	var failures []error
	for _, addr := range addrs {
		failures = append(failures, c.client.tell(ctx, addr, OpDeleteRoute, Fields{{"topic", topic}}, nil))
	}
	return errors.Join(failures...)
}

// ask puts the question to the name servers in turn until one answers. A
// refusal is an answer; not answering within its share of the time is none.
func (c *Cluster) ask(ctx context.Context, op Op, fields Fields, reply any) error {
	var failures []error
	for _, fresh := range []bool{false, true} {
		addrs, err := c.lookup(ctx, fresh)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		for i, addr := range addrs {
			err := c.askOne(ctx, len(addrs)-i, addr, op, fields, reply)
			var refusal *Error
			switch {
			case err == nil, errors.As(err, &refusal):
				c.prefer(addr)
				return err
			case ctx.Err() != nil:
				return err
			}
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// askTimeout bounds the wait for one name server; they answer in milliseconds.
const askTimeout = 5 * time.Second

// askOne gives a name server its share of the time left: one of those to come.
func (c *Cluster) askOne(ctx context.Context, left int, addr string, op Op, fields Fields, reply any) error {
	share := askTimeout
	if deadline, ok := ctx.Deadline(); ok {
		share = min(share, time.Until(deadline)/time.Duration(left))
	}
	one, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	err := c.client.ask(one, addr, op, fields, nil, reply)
	if err != nil && ctx.Err() == nil && one.Err() != nil {
		return &connError{"ask the name server", addr, errNoAnswer}
	}
	return err
}

var errNoAnswer = errors.New("no answer in its share of the time")

// prefer moves the one that answered to the front.
func (c *Cluster) prefer(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.addrs, addr); i > 0 {
		c.addrs = slices.Insert(slices.Delete(slices.Clone(c.addrs), i, i+1), 0, addr)
	}
}

// lookup returns the addresses of all name servers, looked up lately, or now if
// fresh. A name that cannot be looked up is an error only if none can, and none is known: while
// names cannot be looked up, what answered before is asked on.
func (c *Cluster) lookup(ctx context.Context, fresh bool) ([]string, error) {
	c.mu.Lock()
	known := c.addrs
	current := len(known) > 0 && time.Since(c.resolved) < resolveEvery
	c.mu.Unlock()
	if current && !fresh {
		return known, nil
	}
	if len(known) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
	}
	var addrs []string
	var failures []error
	for _, s := range c.servers {
		ips, err := c.resolve(ctx, s)
		failures = append(failures, err)
		for _, ip := range ips {
			if addr := net.JoinHostPort(ip, s.port); !slices.Contains(addrs, addr) {
				addrs = append(addrs, addr)
				c.client.expectName(addr, s.host)
			}
		}
	}
	switch {
	case len(addrs) > 0:
	case len(known) > 0 && !fresh:
		addrs = known
	default:
		return nil, errors.Join(failures...)
	}
	if len(known) > 0 { // stay with the one that answered last
		if i := slices.Index(addrs, known[0]); i > 0 {
			addrs = slices.Insert(slices.Delete(addrs, i, i+1), 0, known[0])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addrs, c.resolved = addrs, time.Now()
	return addrs, nil
}

func (c *Cluster) resolve(ctx context.Context, s server) ([]string, error) {
	if _, err := netip.ParseAddr(s.host); err == nil {
		return []string{s.host}, nil
	}
	ips, err := c.resolver.LookupHost(ctx, s.host)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, &connError{"look up the name server", s.host, err}
	}
	return ips, nil
}
