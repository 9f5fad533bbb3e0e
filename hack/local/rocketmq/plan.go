// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// nameServer is the name of the name server as a node.
const nameServer = "namesrv"

const (
	namesrvMain = "org.apache.rocketmq.namesrv.NamesrvStartup"
	brokerMain  = "org.apache.rocketmq.broker.BrokerStartup"
)

// Command is how to run one node, for callers that keep it running by themselves.
type Command struct {
	Name string   // "namesrv", or the broker's
	Dir  string   // the node's folder
	Line []string // program and arguments
	Env  []string // in addition to the caller's
	// Ready says with nil that clients can use the node, else why not.
	Ready func(ctx context.Context) error
}

// Plan fetches RocketMQ if need be, writes the configuration of the nodes and returns how to run each of them: the name
// server first, then the brokers in the order of the options. It starts nothing.
func Plan(ctx context.Context, options Options) ([]Command, error) {
	c, err := plan(ctx, options)
	if err != nil {
		return nil, err
	}
	commands := make([]Command, len(c.nodes))
	for i, n := range c.nodes {
		commands[i] = n.Command
	}
	return commands, nil
}

// plan returns a cluster whose nodes are configured and not yet running.
func plan(ctx context.Context, options Options) (*Cluster, error) {
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
	c := &Cluster{options: o, distribution: distribution}
	secured, err := c.writeTLS()
	if err != nil {
		return nil, err
	}
	c.options.JavaOptions = slices.Concat(secured, o.JavaOptions)
	if err := c.addNode(nameServer, nameServerConfig(o), namesrvMain, c.nameServerReady, "-Xms64m", "-Xmx256m"); err != nil {
		return nil, err
	}
	for _, b := range o.Brokers {
		config, err := brokerConfig(o, b)
		if err != nil {
			return nil, err
		}
		err = c.addNode(b.Name, config, brokerMain, func(ctx context.Context) error { return c.brokerReady(ctx, b) },
			"-Xms128m", fmt.Sprintf("-Xmx%dm", o.HeapMiB), fmt.Sprintf("-XX:MaxDirectMemorySize=%dm", o.HeapMiB),
			"--add-exports=java.base/sun.nio.ch=ALL-UNNAMED") // it unmaps its files through it
		if err != nil {
			return nil, err
		}
	}
	return c, c.writeAdminCredentials()
}

// addNode writes the configuration of one node and adds it, not yet running. java are options for its memory and modules.
func (c *Cluster) addNode(
	name string, config map[string]string, main string, ready func(context.Context) error, java ...string,
) error {
	dir := c.options.nodeDir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of %s: %w", name, err)
	}
	file := filepath.Join(dir, "node.conf")
	if err := os.WriteFile(file, properties(config), 0o600); err != nil { // it may hold the ACL user
		return fmt.Errorf("write the configuration of %s: %w", name, err)
	}
	line := slices.Concat([]string{c.distribution.Java, "-Duser.home=" + dir}, // its logs go below user.home
		fastStart, java, c.options.JavaOptions, []string{"-cp", c.distribution.Classpath, main, "-c", file})
	c.nodes = append(c.nodes, &node{Command: Command{
		Name: name, Dir: dir, Line: line, Env: []string{"ROCKETMQ_HOME=" + dir}, Ready: ready,
	}})
	return nil
}

// fastStart are options of every Java here, all of which run for a short time on few cores.
var fastStart = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"}

// nameServerReady says with nil that the name server answers.
func (c *Cluster) nameServerReady(ctx context.Context) error {
	return c.registered(ctx, "")
}

// brokerReady says with nil that the name server lists the broker, which the broker sees to as the last step of its
// start, and that its port is open.
func (c *Cluster) brokerReady(ctx context.Context, b Broker) error {
	if err := c.registered(ctx, b.Name); err != nil {
		return err
	}
	conn, err := (&net.Dialer{Timeout: askTimeout}).DialContext(ctx, "tcp", c.addr(b.Port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *Cluster) addr(port int) string { return net.JoinHostPort(c.options.Host, strconv.Itoa(port)) }
