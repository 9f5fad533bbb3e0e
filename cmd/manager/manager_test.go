// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

const configDir = "../../config"

// TestWhatIsInstalledIsEnough runs the operator as the service account of config/default, on an API server that asks RBAC, through the life
// of the sample flow. A verb that the role lacks shows as a step that does not come, and as a refusal in the log.
func TestWhatIsInstalledIsEnough(t *testing.T) {
	admin, config := install(t)
	log := &buffer{}
	mq := fake.Start(t, fake.Config{})
	stop := start(t, config, log)
	defer stop()

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	samples := manifests(t, filepath.Join(configDir, "samples", "order-paid"))
	for _, object := range append(samples, manifests(t, filepath.Join(configDir, "samples", "replay"))...) {
		object.SetNamespace("shop")
		switch object.GetKind() {
		case "MQCluster":
			set(t, object, []any{mq.NameServer()}, "spec", "nameServers")
		case "OrderFlow":
			set(t, object, "Delete", "spec", "topic", "deletionPolicy")
		}
		if err := admin.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Fatalf("create %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}

	replay := &v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "push-again"}}
	within(t, log, "the replay says what it waits for: no pod tells that the third party works", func() bool {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(replay), replay)
		c := meta.FindStatusCondition(replay.Status.Conditions, v1alpha1.ConditionReady)
		return err == nil && c != nil && c.Reason == v1alpha1.ReasonReplayPaused
	})

	flow := &v1alpha1.OrderFlow{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-paid"}}
	within(t, log, "the topic is ready and every consumer has its pods' Deployment", func() bool {
		deployments := &appsv1.DeploymentList{}
		if err := admin.List(t.Context(), deployments, client.InNamespace("shop")); err != nil || len(deployments.Items) != 4 {
			return false
		}
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(flow), flow)
		return err == nil && meta.IsStatusConditionTrue(flow.Status.Conditions, v1alpha1.ConditionTopicReady)
	})
	adapters := &v1alpha1.ThirdPartyAdapterList{}
	if err := admin.List(t.Context(), adapters, client.InNamespace("shop")); err != nil {
		t.Fatal(err)
	}
	for _, adapter := range adapters.Items {
		if c := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != metav1.ConditionTrue {
			t.Errorf("adapter %s is not Ready: %+v", adapter.Name, c)
		}
	}

	if n, err := testutil.GatherAndCount(metrics.Registry, "orderflow_condition_state"); n < len(adapters.Items) || err != nil {
		t.Errorf("%d conditions are metrics: %v", n, err)
	}

	if err := admin.Delete(t.Context(), flow); err != nil {
		t.Fatal(err)
	}
	within(t, log, "the flow is gone with its topic", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(flow), flow))
	})
	stop()
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "panic") {
			t.Errorf("the log says %s", line)
		}
	}
}

// install starts an API server, installs config/default on it but for the Deployment, and returns a client of its admin and the configuration
// of the operator's service account.
func install(t *testing.T) (client.Client, *rest.Config) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make test`, or point it at the folder that `go run ./hack/local assets` prints")
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(configDir, "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 3 * time.Minute, // on a machine that compiles at the same time
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
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	account := ""
	for _, object := range manifests(t, filepath.Join(configDir, "default")) {
		switch object.GetKind() {
		case "CustomResourceDefinition", "Deployment":
			continue
		case "ServiceAccount":
			account = "system:serviceaccount:" + object.GetNamespace() + ":" + object.GetName()
		}
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatalf("create %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	user, err := environment.AddUser(envtest.User{Name: account}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return admin, user.Config()
}

// start runs the operator until stop is called. Only the guard of dialled addresses is left out: the fake broker is at a loopback address.
func start(t *testing.T, config *rest.Config, log *buffer) (stop func()) {
	t.Helper()
	logger := slog.New(slog.NewJSONHandler(log, nil))
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	connector := &topology.Connector{}
	o := options{workerImage: "worker:test", namespace: "orderflow-system", metricsAddress: "127.0.0.1:0", healthAddress: "127.0.0.1:0", leaderElection: true}
	mgr, err := newManager(config, connector, o, logger)
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

// manifests are what kubectl makes of a kustomization.
func manifests(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", dir).Output()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v", dir, err)
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("read the manifests of %s: %v", dir, err)
		}
		objects = append(objects, object)
	}
}

func set(t *testing.T, object *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// within polls, as the operator works on its own, and shows its log if the time is over.
func within(t *testing.T, log *buffer, what string, done func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("not within two minutes: %s\n%s", what, log)
		case <-time.After(100 * time.Millisecond):
		}
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
