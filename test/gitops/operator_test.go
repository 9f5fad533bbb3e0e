// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/controllers/operator"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// running is an API server with OrderFlow's controllers at work, and the file by which kubectl finds it.
type running struct {
	client.Client
	kubeconfig string
}

func startOperator(t *testing.T) *running {
	t.Helper()
	environment, err := installation.Environment()
	if err != nil {
		t.Fatal(err)
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	connector := &topology.Connector{} // which dials a loopback address, where the fake broker is
	mgr, err := operator.New(config, connector, operator.Options{
		WorkerImage: "worker:test", Namespace: "orderflow-system", MetricsAddress: "0", HealthAddress: "0",
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager ended: %v", err)
		}
		connector.Close()
	})
	config.QPS = -1
	admin, err := client.New(config, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return &running{Client: admin, kubeconfig: kubeconfig}
}

// namespace makes one.
func (o *running) namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	if err := o.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// within polls, as the operator works on its own.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("not within three minutes: %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
