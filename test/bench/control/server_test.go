// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// server is an API server of its own for one comparison.
type server struct {
	config     *rest.Config
	kubeConfig string
	// admin is without a cache and without limits.
	admin client.Client
}

func scheme() *kruntime.Scheme {
	s := kruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		panic(err) // both are compiled in
	}
	return s
}

func startServer(t *testing.T) *server {
	t.Helper()
	environment, err := installation.Environment()
	must(t, err)
	config, err := environment.Start()
	must(t, err)
	t.Cleanup(func() { must(t, environment.Stop()) })
	s := &server{config: unlimited(config), kubeConfig: filepath.Join(t.TempDir(), "kubeconfig")}
	must(t, os.WriteFile(s.kubeConfig, environment.KubeConfig, 0o600))
	s.admin, err = client.New(s.config, client.Options{Scheme: scheme()})
	must(t, err)
	return s
}

// unlimited is as the operator's configuration: the API server's own fairness is the limit.
func unlimited(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.QPS = -1
	return c
}

// writers create objects at once.
const writers = 16

// create makes the objects in their order, as far as many do so at once, and calls then for each.
func (s *server) create(t *testing.T, p plan, then func(client.Object)) {
	t.Helper()
	for _, name := range p.namespaces {
		must(t, s.admin.Create(t.Context(), namespace(name)))
	}
	creates, ctx := errgroup.WithContext(t.Context())
	creates.SetLimit(writers)
	for _, o := range p.objects {
		creates.Go(func() error { return s.createOne(ctx, o, then) })
	}
	must(t, creates.Wait())
}

func (s *server) createOne(ctx context.Context, o client.Object, then func(client.Object)) error {
	if err := s.admin.Create(ctx, o); err != nil {
		return err
	}
	then(o)
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
