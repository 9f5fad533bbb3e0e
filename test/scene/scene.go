// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/hack/local/cluster"
)

//go:embed actors.yaml
var manifests embed.FS

// Flow is the name of the sample's OrderFlow, Topic and Binding what it declares.
const (
	Flow    = "order-paid"
	Topic   = "TopicOrderPaySuccess"
	Binding = "order-paid-producer"
)

// OperatorNamespace is where config/local installs the operator.
const OperatorNamespace = "orderflow-system"

// Scene is one namespace of the local cluster with a shop and a stub in it.
type Scene struct {
	// Env is the cluster, with its broker.
	Env *cluster.Env
	// Config and Client reach the API server as cluster-admin.
	Config *rest.Config
	Client client.Client
	// Namespace of shop, stub and sample.
	Namespace string
	// Shop and Stub are ready once Actors returned.
	Shop *Shop
	Stub *Stub
}

// Open reaches the cluster that is up and makes the namespace, which enforces the restricted pod security standard.
func Open(ctx context.Context, namespace string) (*Scene, error) {
	env, err := cluster.Current(ctx)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", env.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	// An experiment polls several objects a second; the client's default of 5 requests/s would be the bottleneck.
	config.QPS, config.Burst = 100, 200
	scheme := k8sruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the API server: %w", err)
	}
	s := &Scene{Env: env, Config: config, Client: api, Namespace: namespace}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := api.Create(ctx, ns); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("making the namespace: %w", err)
	}
	proxied, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the API server's proxy: %w", err)
	}
	s.Shop = &Shop{service{proxied, s.proxy("shop:http")}}
	s.Stub = &Stub{service{proxied, s.proxy("third-party-stub:http")}}
	return s, nil
}

func (s *Scene) proxy(service string) string {
	return strings.TrimSuffix(s.Config.Host, "/") + "/api/v1/namespaces/" + s.Namespace + "/services/" + service + "/proxy"
}

// InstallOperator applies config/local and waits until the operator is available.
func (s *Scene) InstallOperator(ctx context.Context) error {
	if _, err := s.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root(), "config", "local")); err != nil {
		return err
	}
	_, err := s.Kubectl(ctx, "-n", OperatorNamespace, "rollout", "status", "deployment", "--timeout=120s")
	return err
}

// Actors runs the stub, and the shop once the flow's binding Secret is there to be mounted.
func (s *Scene) Actors(ctx context.Context) error {
	manifest, err := manifests.ReadFile("actors.yaml")
	if err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, bytes.NewReader(manifest), "-n", s.Namespace, "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	_, err = s.Kubectl(ctx, "-n", s.Namespace, "rollout", "status", "deployment/shop", "deployment/third-party-stub", "--timeout=120s")
	return err
}

// ApplySample applies config/samples/order-paid.
func (s *Scene) ApplySample(ctx context.Context) error {
	_, err := s.Kubectl(ctx, "-n", s.Namespace, "apply", "-k", Sample())
	return err
}

// Sample is the folder of the sample.
func Sample() string { return filepath.Join(root(), "config", "samples", "order-paid") }

// Kubectl runs kubectl and returns what it printed.
func (s *Scene) Kubectl(ctx context.Context, args ...string) (string, error) {
	return s.kubectl(ctx, nil, args...)
}

func (s *Scene) kubectl(ctx context.Context, stdin *bytes.Reader, args ...string) (string, error) {
	program := s.Env.Kubectl
	if program == "" {
		program = "kubectl"
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--kubeconfig", s.Env.Kubeconfig}, args...)...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// Poll calls done four times a second until it is true, fails, or ctx ends; what is the error's account of what was awaited.
func Poll(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		ok, err := done(ctx)
		switch {
		case ok:
			return nil
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}

// root is the checkout's folder: experiments run from source.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
