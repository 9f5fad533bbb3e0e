// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

const (
	// bootTimeout bounds the wait for a node: the slowest start seen on two busy cores, several times over.
	bootTimeout = 3 * time.Minute
	bootPoll    = 100 * time.Millisecond
)

// Cluster is a name server and its brokers, running. Its methods may be called concurrently for different brokers.
type Cluster struct {
	options      Options // with every default and port filled in
	distribution *Distribution
	nodes        []*node // the name server, then the brokers in the order of the options
}

// Start fetches RocketMQ if need be, runs the nodes and returns when clients can use them. ctx bounds the start alone:
// the nodes run until Stop or Kill, or until this process ends. When Start fails, nothing is left running, and the error
// ends with the last lines that the failing node printed.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	c, err := plan(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := c.boot(ctx); err != nil {
		return nil, errors.Join(err, c.Kill())
	}
	return c, nil
}

// boot starts all nodes at once and waits for all of them.
func (c *Cluster) boot(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := c.await(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// await returns when clients can use the node.
func (c *Cluster) await(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	r, err := n.current()
	if err != nil {
		return n.failed(err)
	}
	began := time.Now()
	defer every(progressEvery, func() {
		c.options.Log.Info("still waiting for a node", "node", n.Name, "elapsed", time.Since(began).Round(time.Second))
	})()
	ticker := time.NewTicker(bootPoll)
	defer ticker.Stop()
	for {
		notReady := n.Ready(ctx)
		if notReady == nil {
			return nil
		}
		select {
		case <-r.done:
			return n.failed(fmt.Errorf("%s ended while it started: %w", n.Name, r.err))
		case <-ctx.Done():
			return n.failed(fmt.Errorf("wait for %s: %w: %w", n.Name, ctx.Err(), notReady))
		case <-ticker.C:
		}
	}
}

// NameServer returns the name server's address, host:port.
func (c *Cluster) NameServer() string { return c.addr(c.options.NameServerPort) }

// BrokerAddr returns the address, host:port, of a broker, or "" if Options named none like it.
func (c *Cluster) BrokerAddr(name string) string {
	for _, b := range c.options.Brokers {
		if b.Name == name {
			return c.addr(b.Port)
		}
	}
	return ""
}

// Processes are the ids of the nodes that run.
func (c *Cluster) Processes() (pids []int) {
	for _, n := range c.nodes {
		if r, err := n.current(); err == nil {
			pids = append(pids, r.process.Pid)
		}
	}
	return pids
}

// Stop ends all nodes in the orderly way, the brokers first, as they say goodbye to the name server. It takes seconds. A
// node that does not end by itself within 30 s, or when ctx ends, is killed. Nodes that are down are fine.
func (c *Cluster) Stop(ctx context.Context) error {
	errs := make([]error, len(c.nodes))
	var brokers sync.WaitGroup
	for i, n := range c.nodes[1:] {
		brokers.Go(func() { errs[i] = n.ifRunning(func(r *run) error { return r.stop(ctx) }) })
	}
	brokers.Wait()
	errs[len(errs)-1] = c.nodes[0].ifRunning(func(r *run) error { return r.stop(ctx) })
	return errors.Join(errs...)
}

// Kill ends all nodes at once, for callers that will not use the stores again.
func (c *Cluster) Kill() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.ifRunning((*run).kill))
	}
	return errors.Join(errs...)
}

// ifRunning ends the run under way, if there is one.
func (n *node) ifRunning(end func(*run) error) error {
	r, err := n.current()
	if err != nil {
		return nil //nolint:nilerr // it is down, as wanted
	}
	if err := end(r); err != nil {
		return fmt.Errorf("end %s: %w", n.Name, err)
	}
	return nil
}

// StopBroker ends a running broker in the orderly way, as Stop does; its store is complete when StopBroker returns.
func (c *Cluster) StopBroker(ctx context.Context, name string) error {
	return c.onBroker(name, func(r *run) error { return r.stop(ctx) })
}

// KillBroker ends a running broker with SIGKILL, as a crash would. What it had acknowledged stays in its store, whose
// mapped files belong to the kernel; only a crash of the machine would lose some.
func (c *Cluster) KillBroker(name string) error { return c.onBroker(name, (*run).kill) }

// KillNameServer ends the name server with SIGKILL. Brokers and clients that know their routes go on.
func (c *Cluster) KillNameServer() error { return c.nodes[0].ifRunning((*run).kill) }

// StartNameServer starts the name server again, with its old port, and waits until the brokers have registered.
func (c *Cluster) StartNameServer(ctx context.Context) error {
	if err := c.nodes[0].start(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := c.await(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// Pause freezes a running broker with SIGSTOP: its connections stay open and nobody answers.
func (c *Cluster) Pause(name string) error {
	return c.onBroker(name, func(r *run) error { return r.signal(syscall.SIGSTOP) })
}

// Resume lets a paused broker go on.
func (c *Cluster) Resume(name string) error {
	return c.onBroker(name, func(r *run) error { return r.signal(syscall.SIGCONT) })
}

// StartBroker starts a broker that was stopped or killed, with its old port and store, and waits until it serves.
func (c *Cluster) StartBroker(ctx context.Context, name string) error {
	n, err := c.broker(name)
	if err != nil {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	return c.await(ctx, n)
}

// onBroker acts on a broker that must be running.
func (c *Cluster) onBroker(name string, act func(*run) error) error {
	n, err := c.broker(name)
	if err != nil {
		return err
	}
	r, err := n.current()
	if err != nil {
		return err
	}
	if err := act(r); err != nil {
		return fmt.Errorf("broker %s: %w", name, err)
	}
	return nil
}

func (c *Cluster) broker(name string) (*node, error) {
	for _, n := range c.nodes[1:] {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no broker is called %q", name)
}
