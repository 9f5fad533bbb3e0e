// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/mqcluster"
	"github.com/orderflow-dev/orderflow/controllers/mqconsumergroup"
	"github.com/orderflow-dev/orderflow/controllers/orderflow"
	"github.com/orderflow-dev/orderflow/controllers/thirdpartyadapter"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// operator is an API server with OrderFlow's controllers at work, and the file by which kubectl finds it.
type operator struct {
	client.Client
	kubeconfig string
}

func startOperator(t *testing.T) *operator {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make test`, or point it at the folder that `go run ./hack/local assets` prints")
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join(dir, "..", "crd", "bases")}, ErrorIfCRDPathMissing: true, ControlPlaneStartTimeout: 3 * time.Minute,
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
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	connector := &topology.Connector{Secrets: mgr.GetAPIReader()}
	if err := addControllers(mgr, connector); err != nil {
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
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return &operator{Client: admin, kubeconfig: kubeconfig}
}

// addControllers is as cmd/manager does it, but for the guard of dialled addresses: the fake broker is at a loopback address.
func addControllers(mgr ctrl.Manager, connector *topology.Connector) error {
	logger := slog.New(slog.DiscardHandler)
	applier, sampler := apply.New(mgr.GetClient(), mgr.GetAPIReader()), lag.NewSampler(connector, logger)
	syncer := workersync.New(workersync.Config{
		Pods: func(ctx context.Context, group types.NamespacedName) ([]corev1.Pod, error) {
			return mqconsumergroup.Pods(ctx, mgr.GetClient(), group)
		},
		Logger: logger,
	})
	pulse := mqconsumergroup.NewPulse(mqconsumergroup.Pulse{Client: mgr.GetClient(), Sampler: sampler, Syncer: syncer, Logger: logger, Now: time.Now})
	recorder := mgr.GetEventRecorder("orderflow")
	return errors.Join(
		(&mqcluster.Reconciler{Client: mgr.GetClient(), Applier: applier, Connector: connector, Recorder: recorder, Now: time.Now}).SetupWithManager(mgr),
		(&thirdpartyadapter.Reconciler{
			Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Applier: applier, Reports: syncer.Reports, Recorder: recorder, Now: time.Now,
		}).SetupWithManager(mgr),
		(&orderflow.Reconciler{Client: mgr.GetClient(), Applier: applier, Connector: connector, Recorder: recorder, Now: time.Now}).SetupWithManager(mgr),
		(&mqconsumergroup.Reconciler{
			Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Applier: applier, Connector: connector, Sampler: sampler, Syncer: syncer,
			Recorder: recorder, Now: time.Now, Options: mqconsumergroup.Options{WorkerImage: "worker:test", OperatorNamespace: "orderflow-system"},
		}).SetupWithManager(mgr, pulse),
		mgr.Add(syncer), mgr.Add(pulse),
	)
}

// namespace makes one.
func (o *operator) namespace(t *testing.T) string {
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
