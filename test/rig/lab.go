// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	mq "github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// patience bounds what takes seconds on an idle machine.
const patience = 3 * time.Minute

// delayLevels are the lab's brokers': as many as RocketMQ's, in seconds where those are in minutes and hours.
const delayLevels = "1s 1s 2s 3s 3s 4s 4s 5s 5s 5s 5s 5s 5s 5s 5s 5s 5s 5s"

// LongestDelay is that of the delay levels.
const LongestDelay = 5 * time.Second

// Lab is a broker and what reaches it.
type Lab struct {
	*mq.Cluster
	// Worker is the path of the worker's binary.
	Worker string
	// Address is this machine's.
	Address string

	client *rocketmq.Client
	addr   string
}

// NewLab starts a broker that ends with the test, with these options of Java. Workers run from the given binary, see Build.
func NewLab(t testing.TB, worker string, java ...string) *Lab {
	t.Helper()
	l := &Lab{Worker: worker, Address: OwnAddress(t), client: rocketmq.NewClient(rocketmq.Config{})}
	t.Cleanup(l.client.Close)
	l.Cluster = broker.Own(t, mq.Options{
		Dir: filepath.Join(t.TempDir(), "mq"), Host: l.Address, JavaOptions: java, Properties: map[string]string{"messageDelayLevel": delayLevels},
	})
	l.addr = l.BrokerAddr(mq.DefaultBroker)
	return l
}

// OwnAddress is an IPv4 address of this machine that is neither loopback nor link-local, as third parties have them.
func OwnAddress(t testing.TB) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this needs an IPv4 address besides loopback, which workers never dial")
	return ""
}

// Wait returns after d, or when ctx ends.
func Wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Await asks again and again until done, and reports whether it was within the time.
func Await(ctx context.Context, within time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(within); !done(); Wait(ctx, 50*time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
	}
	return true
}
