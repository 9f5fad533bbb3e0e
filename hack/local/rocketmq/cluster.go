// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// nameServer is the name of the name server's folder.
const nameServer = "namesrv"

const (
	namesrvMain = "org.apache.rocketmq.namesrv.NamesrvStartup"
	brokerMain  = "org.apache.rocketmq.broker.BrokerStartup"
	adminMain   = "org.apache.rocketmq.tools.command.MQAdminStartup"

	// bootLine is what both kinds of node print once they serve.
	bootLine = "boot success"
	// bootTimeout bounds the wait for a node: the slowest start seen on two busy cores, several times over.
	bootTimeout = 3 * time.Minute
	bootPoll    = 50 * time.Millisecond
)

// Cluster is a name server and its brokers, running. Its methods may be called concurrently for different brokers.
type Cluster struct {
	options      Options // with every default and port filled in
	distribution *Distribution
	namesrv      *node
	brokers      map[string]*node
}

// Start fetches RocketMQ if need be, runs the nodes and returns when clients can use them. When it fails, nothing is
// left running, and the error ends with the last lines that the failing node printed.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	distribution, err := Fetch(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	if o, err = o.withPorts(); err != nil {
		return nil, err
	}
	c := &Cluster{options: o, distribution: distribution, brokers: map[string]*node{}}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if err := c.boot(ctx); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// prepare writes the configuration of every node and says how to run it.
func (c *Cluster) prepare() error {
	o := c.options
	dir := filepath.Join(o.Dir, nameServer)
	var err error
	c.namesrv, err = c.node(nameServer, nameServerConfig(o, dir), namesrvMain, "-Xms64m", "-Xmx256m")
	if err != nil {
		return err
	}
	for _, b := range o.Brokers {
		config, err := brokerConfig(o, b, filepath.Join(o.Dir, b.Name))
		if err != nil {
			return err
		}
		c.brokers[b.Name], err = c.node(b.Name, config, brokerMain, "-Xms128m", fmt.Sprintf("-Xmx%dm", o.HeapMiB),
			fmt.Sprintf("-XX:MaxDirectMemorySize=%dm", o.HeapMiB),
			"--add-exports=java.base/sun.nio.ch=ALL-UNNAMED") // its mapped files are unmapped through it
		if err != nil {
			return err
		}
	}
	if o.ACL == nil {
		return nil
	}
	conf := filepath.Join(o.Dir, "admin", "conf")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		return fmt.Errorf("create mqadmin's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(conf, "tools.yml"), []byte(adminCredentials(*o.ACL)), 0o600); err != nil {
		return fmt.Errorf("write mqadmin's credentials: %w", err)
	}
	return nil
}

// node writes the configuration of one node and returns it, not yet running.
func (c *Cluster) node(name string, config map[string]string, main string, memory ...string) (*node, error) {
	dir := filepath.Join(c.options.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of %s: %w", name, err)
	}
	file := filepath.Join(dir, "node.conf")
	if err := os.WriteFile(file, properties(config), 0o600); err != nil { // it may hold the ACL user
		return nil, fmt.Errorf("write the configuration of %s: %w", name, err)
	}
	var command []string
	if c.options.NetNS != "" {
		command = []string{"ip", "netns", "exec", c.options.NetNS}
	}
	command = append(command, c.distribution.Java, "-Duser.home="+dir) // logs go below user.home
	command = append(command, fastStart...)
	command = append(command, memory...)
	command = append(command, c.options.JavaOptions...)
	command = append(command, "-cp", c.distribution.Classpath, main, "-c", file)
	return &node{
		name: name, dir: dir, command: command, env: []string{"ROCKETMQ_HOME=" + dir}, detach: c.options.Detach,
	}, nil
}

// fastStart are the options of every Java that runs for a short time on few cores.
var fastStart = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"}

// boot starts all nodes at once and waits for all of them.
func (c *Cluster) boot(ctx context.Context) error {
	if err := c.namesrv.start(); err != nil {
		return err
	}
	for _, b := range c.brokers {
		if err := b.start(); err != nil {
			return err
		}
	}
	if err := c.await(ctx, c.namesrv, c.NameServer(), nil); err != nil {
		return err
	}
	for name := range c.brokers {
		if err := c.awaitBroker(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) awaitBroker(ctx context.Context, name string) error {
	return c.await(ctx, c.brokers[name], c.BrokerAddr(name), func(ctx context.Context) (bool, error) {
		return registered(ctx, c.NameServer(), name)
	})
}

// await returns when the node has printed that it serves, its port answers and the further condition, if any, holds.
func (c *Cluster) await(ctx context.Context, n *node, addr string, further func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	began := time.Now()
	defer every(progressEvery, func() {
		c.options.Log.Info("still waiting for a node", "node", n.name, "elapsed", time.Since(began).Round(time.Second))
	})()
	r, err := n.current()
	if err != nil {
		return n.failed(err)
	}
	ticker := time.NewTicker(bootPoll)
	defer ticker.Stop()
	var last error // why the latest look did not find it ready
	for {
		ready, err := n.ready(ctx, r, addr, further)
		if ready {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-r.done:
			return n.failed(fmt.Errorf("%s ended while it started: %w", n.name, r.err))
		case <-ctx.Done():
			return n.failed(errors.Join(fmt.Errorf("wait for %s on %s: %w", n.name, addr, ctx.Err()), last))
		case <-ticker.C:
		}
	}
}

func (n *node) ready(ctx context.Context, r *run, addr string, further func(context.Context) (bool, error)) (bool, error) {
	out, err := n.output(r)
	if err != nil || !bytes.Contains(out, []byte(bootLine)) {
		return false, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, err
	}
	conn.Close()
	if further == nil {
		return true, nil
	}
	return further(ctx)
}

// failed adds the node's last words to err.
func (n *node) failed(err error) error {
	out, readErr := os.ReadFile(filepath.Join(n.dir, outFile))
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	return fmt.Errorf("%w\nits output ends:\n%s", err, lastLines(out, 20))
}

// NameServer returns the name server's address, host:port.
func (c *Cluster) NameServer() string { return c.addr(c.options.NameServerPort) }

// Dir returns the folder of configuration, logs and stores.
func (c *Cluster) Dir() string { return c.options.Dir }

// BrokerAddr returns the address, host:port, of a broker, or "" if Options named none like it.
func (c *Cluster) BrokerAddr(name string) string {
	for _, b := range c.options.Brokers {
		if b.Name == name {
			return c.addr(b.Port)
		}
	}
	return ""
}

func (c *Cluster) addr(port int) string { return net.JoinHostPort(c.options.Host, strconv.Itoa(port)) }

// Stop ends all nodes, the brokers first, as they say goodbye to the name server. A node that does not end by itself
// within 30 s, or when ctx ends, is killed. Nodes that are down are fine.
func (c *Cluster) Stop(ctx context.Context) error {
	var wait sync.WaitGroup
	errs := make([]error, len(c.options.Brokers)+1)
	for i, b := range c.options.Brokers {
		wait.Go(func() { errs[i] = c.brokers[b.Name].stopIfRunning(ctx) })
	}
	wait.Wait()
	errs[len(errs)-1] = c.namesrv.stopIfRunning(ctx)
	return errors.Join(errs...)
}

func (n *node) stopIfRunning(ctx context.Context) error {
	r, err := n.current()
	if err != nil {
		return nil // it is down, as wanted
	}
	if err := r.stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", n.name, err)
	}
	return nil
}

// broker returns the broker called name and its run under way.
func (c *Cluster) broker(name string) (*node, *run, error) {
	n, ok := c.brokers[name]
	if !ok {
		return nil, nil, fmt.Errorf("no broker is called %q", name)
	}
	r, err := n.current()
	return n, r, err
}

// StopBroker ends a running broker in the orderly way; its store is complete when StopBroker returns.
func (c *Cluster) StopBroker(ctx context.Context, name string) error {
	n, _, err := c.broker(name)
	if err != nil {
		return err
	}
	return n.stopIfRunning(ctx)
}

// StartBroker starts a broker that was stopped or killed, with its old port and store, and waits until it serves.
func (c *Cluster) StartBroker(ctx context.Context, name string) error {
	n, ok := c.brokers[name]
	if !ok {
		return fmt.Errorf("no broker is called %q", name)
	}
	if err := n.start(); err != nil {
		return err
	}
	return c.awaitBroker(ctx, name)
}

// KillBroker ends a running broker with SIGKILL, as a crash would. It may lose what it had not yet flushed only if the
// machine dies too: its mapped files belong to the kernel.
func (c *Cluster) KillBroker(name string) error {
	_, r, err := c.broker(name)
	if err != nil {
		return err
	}
	if err := r.kill(); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	return nil
}

// Pause freezes a running broker with SIGSTOP: its connections stay open and nobody answers.
func (c *Cluster) Pause(name string) error { return c.signalBroker(name, syscall.SIGSTOP) }

// Resume lets a paused broker go on.
func (c *Cluster) Resume(name string) error { return c.signalBroker(name, syscall.SIGCONT) }

func (c *Cluster) signalBroker(name string, s syscall.Signal) error {
	_, r, err := c.broker(name)
	if err != nil {
		return err
	}
	if err := r.signal(s); err != nil {
		return fmt.Errorf("send %s to %s: %w", s, name, err)
	}
	return nil
}
