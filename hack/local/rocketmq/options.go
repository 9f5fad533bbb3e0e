// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"regexp"
)

// DefaultBroker is the name of the broker that runs when Options names none.
const DefaultBroker = "broker-a"

// ClusterName is the name of every cluster that Start runs: RocketMQ's own default.
const ClusterName = "DefaultCluster"

// Options says what Start runs. Dir is required; every other zero value is a working default.
type Options struct {
	// Dir is the folder of configuration, logs and stores. It is created if missing; a store found there is used again.
	Dir string
	// Host is the IP address nodes listen on and brokers tell clients to use. Default 127.0.0.1.
	Host string
	// NameServerPort is where the name server listens. 0 chooses a free one.
	NameServerPort int
	// Brokers are the master brokers, at least one and each with its own name. Default: one DefaultBroker.
	Brokers []Broker
	// ACL turns on authentication and authorization (RocketMQ's ACL 2.0) with this user as administrator. Default: off.
	ACL *User
	// TLS makes all nodes speak TLS and nothing else. Default: plain text.
	TLS *TLS
	// EnablePropertyFilter lets subscriptions use SQL92. RocketMQ's default, and ours, is off.
	EnablePropertyFilter bool
	// AutoCreateTopic makes brokers create topics and groups on first use. Default: off, as the operator creates them.
	AutoCreateTopic bool
	// Properties are lines for every broker's configuration. They override what the other options say.
	Properties map[string]string
	// HeapMiB bounds the heap of each broker, and in addition its direct memory. Default 512.
	HeapMiB int
	// JavaOptions come last on the command line of every node and so override ours, which favour a fast start:
	// a broker under load runs faster with -XX:TieredStopAtLevel=4.
	JavaOptions []string
	// Log hears of downloads and waits. Default: nobody does.
	Log *slog.Logger
}

// Broker is one master broker.
type Broker struct {
	// Name is what clients see, and the name of the broker's folder.
	Name string
	// Port is where it listens; it also takes Port-2 (priority remoting) and Port+1 (replication). 0 chooses free ones.
	Port int
	// Properties are lines for this broker's configuration. They override Options.Properties.
	Properties map[string]string
}

// User is an ACL user: Name is its access key, Password its secret key.
type User struct {
	Name     string `json:"username"`
	Password string `json:"password"`
}

// TLS is what the nodes show, all as PEM. The certificate has to be for Host.
type TLS struct {
	Certificate, Key string
	// Authority signed the certificate, and is what readiness is asked with.
	Authority string
}

// nodeName is what a broker may be called: it names a folder too.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// withDefaults returns a copy in which every choice is made but the ports, or says which option is wrong.
func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("options: Dir is empty: name a folder for the nodes' configuration, logs and stores")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("options: make Dir absolute: %w", err)
	}
	o.Dir = dir
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if net.ParseIP(o.Host) == nil {
		return o, fmt.Errorf("options: Host %q is not an IP address, and brokers announce nothing else", o.Host)
	}
	if o.HeapMiB == 0 {
		o.HeapMiB = 512
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Brokers) == 0 {
		o.Brokers = []Broker{{Name: DefaultBroker}}
	}
	seen := map[string]bool{nameServer: true}
	brokers := make([]Broker, len(o.Brokers))
	for i, b := range o.Brokers {
		if !nodeName.MatchString(b.Name) {
			return o, fmt.Errorf("options: broker name %q: use letters, digits, - and _, as it names a folder", b.Name)
		}
		if seen[b.Name] {
			return o, fmt.Errorf("options: broker name %q is taken: every node needs its own", b.Name)
		}
		seen[b.Name] = true
		properties := maps.Clone(o.Properties)
		if properties == nil {
			properties = map[string]string{}
		}
		maps.Copy(properties, b.Properties)
		b.Properties = properties
		brokers[i] = b
	}
	o.Brokers = brokers
	return o, nil
}

// withPorts returns a copy in which every port is chosen.
func (o Options) withPorts() (Options, error) {
	var err error
	if o.NameServerPort == 0 {
		if o.NameServerPort, err = freeBlock(o.Host); err != nil {
			return o, err
		}
	}
	for i := range o.Brokers {
		if o.Brokers[i].Port != 0 {
			continue
		}
		if o.Brokers[i].Port, err = freeBlock(o.Host); err != nil {
			return o, err
		}
	}
	return o, nil
}

// nodeDir is the folder of the node called name.
func (o Options) nodeDir(name string) string { return filepath.Join(o.Dir, name) }
