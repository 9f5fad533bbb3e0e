// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

// nameServerVariable names the name server, host:port, of a RocketMQ that already runs for all packages to share.
const nameServerVariable = "ORDERFLOW_NAMESRV"

// RocketMQ is a running RocketMQ, as far as tests that share it may go.
type RocketMQ interface {
	// NameServer returns the name server's address, host:port.
	NameServer() string
	// Admin runs mqadmin, an outside view of what the broker holds, and returns what it printed. args are the command
	// and its flags without the name server.
	Admin(ctx context.Context, args ...string) (string, error)
}

// shared is this test binary's broker. It is the package's one global: tests of a binary have no other place in common.
var shared struct {
	stopped bool // Main runs and will stop what is started here

	once sync.Once
	mq   RocketMQ
	stop func() error
	err  error
}

// Main runs a package's tests, stops the shared broker if they started one, checks that no goroutine is left and ends
// the process. leaks excuses goroutines that a library is known to leave behind. It is all that a TestMain needs.
func Main(m *testing.M, leaks ...goleak.Option) {
	goleak.VerifyTestMain(tests{m}, leaks...)
}

// tests are a package's tests with the shared broker stopped after them.
type tests struct{ *testing.M }

func (t tests) Run() int {
	shared.stopped = true
	code := t.M.Run()
	if shared.stop == nil {
		return code
	}
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared RocketMQ:", err)
		return max(code, 1)
	}
	return code
}

// Shared returns the broker that all tests of a run share; the first call may start it. It fails the test if there is
// none to be had.
func Shared(t testing.TB) RocketMQ {
	t.Helper()
	if !shared.stopped {
		t.Fatal("the shared RocketMQ would be left running: add func TestMain(m *testing.M) { broker.Main(m) } to this package")
	}
	shared.once.Do(func() {
		if addr := os.Getenv(nameServerVariable); addr != "" {
			shared.mq = running{addr}
			return
		}
		shared.mq, shared.stop, shared.err = startShared()
	})
	if shared.err != nil {
		t.Fatalf("start the shared RocketMQ: %v", shared.err)
	}
	return shared.mq
}

// startShared starts a broker that belongs to the binary rather than to a test.
func startShared() (RocketMQ, func() error, error) {
	dir, err := os.MkdirTemp("", "orderflow-rocketmq-")
	if err != nil {
		return nil, nil, fmt.Errorf("create its folder: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cluster, err := rocketmq.Start(context.Background(), rocketmq.Options{Dir: dir, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return cluster, func() error { return errors.Join(cluster.Kill(), os.RemoveAll(dir)) }, nil
}

// running is a RocketMQ that someone else started.
type running struct{ nameServer string }

func (r running) NameServer() string { return r.nameServer }

func (r running) Admin(ctx context.Context, args ...string) (string, error) {
	distribution, err := rocketmq.Fetch(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	return distribution.Admin(ctx, r.nameServer, filepath.Join(distribution.Root, "admin"), args...)
}

// Own starts a broker for this test alone, ended when the test ends. Options.Dir and Options.Log default to the
// test's own.
func Own(t testing.TB, o rocketmq.Options) *rocketmq.Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	cluster, err := rocketmq.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start a RocketMQ of the test's own: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Kill(); err != nil { // nobody will ask for what it stores
			t.Errorf("end the test's own RocketMQ: %v", err)
		}
	})
	return cluster
}

// notInName is what neither topics nor groups may contain, and the slash between a test and its subtest.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameLimit bounds the part of a name that says which test it is from: a topic has at most 127 characters, and a group
// must leave room for the %RETRY% before it.
const nameLimit = 80

// Name returns a name for a topic or group that no other test, nor another run of this one, uses: the prefix, the
// test's name and a random end. The prefix is at most 20 letters, digits, - and _.
func Name(t testing.TB, prefix string) string {
	test := notInName.ReplaceAllString(t.Name(), "_")
	return prefix + "_" + test[:min(len(test), nameLimit)] + "_" + strings.ToLower(rand.Text()[:10])
}
