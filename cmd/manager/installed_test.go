// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/orderflow-dev/orderflow/controllers/operator"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// logs are all that is logged in this process.
var logs = &buffer{}

// handler writes all there is to say.
func handler() slog.Handler {
	return slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// TestMain sets the logger first: controller-runtime gives all up that is logged, for good, where there is none within 30 s.
func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(handler()))
	os.Exit(m.Run())
}

// apart runs the test in a process of its own, and reports whether this is it: a process has one manager, whose controllers and metrics have their names.
func apart(t *testing.T) bool {
	t.Helper()
	const mark = "ORDERFLOW_TEST_APART"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "10m")
	child.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// create creates the sample in the namespace shop, on the cluster mq. The topic goes with its flow.
func create(t *testing.T, i *installation.Installation, mq *fake.Cluster, sample string, change func(*unstructured.Unstructured)) {
	t.Helper()
	for _, object := range installation.Manifests(t, filepath.Join("samples", sample)) {
		object.SetNamespace("shop")
		switch object.GetKind() {
		case "MQCluster":
			set(t, object, []any{mq.NameServer()}, "spec", "nameServers")
		case "OrderFlow":
			set(t, object, "Delete", "spec", "topic", "deletionPolicy")
		}
		if change != nil {
			change(object)
		}
		i.Create(t, object)
	}
}

// start runs the operator until stop is called. Only the guard of dialled addresses is left out: the fake broker is at a loopback address.
func start(t *testing.T, config *rest.Config, change func(*options)) (stop func()) {
	t.Helper()
	connector := &topology.Connector{}
	o := options{workerImage: "worker:test", namespace: "orderflow-system", metricsAddress: "127.0.0.1:0", healthAddress: "127.0.0.1:0", leaderElection: true}
	if change != nil {
		change(&o)
	}
	mgr, err := operator.New(config, connector, o.operator(), slog.New(handler()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager ended: %v", err)
		}
		connector.Close()
	})
}

// wantNothingForbidden looks for refusals of the API server in the log.
func wantNothingForbidden(t *testing.T) {
	t.Helper()
	if !strings.Contains(logs.String(), "Starting workers") {
		t.Error("the log does not say what controllers do: it is not the operator's")
	}
	for line := range strings.Lines(logs.String()) {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "panic") {
			t.Errorf("the log says %s", line)
		}
	}
}

func set(t *testing.T, object *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// within polls, as the operator works on its own, and shows its log if the time is over.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !installation.Within(t, 2*time.Minute, what, done) {
		t.Fatal(logs)
	}
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
