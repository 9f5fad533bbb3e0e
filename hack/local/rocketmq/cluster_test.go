// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a cluster that ends with the test.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	began := time.Now()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		began := time.Now()
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		t.Logf("stopped in %s", time.Since(began))
	})
	t.Logf("booted in %s", time.Since(began))
	return c
}

func admin(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	out, err := c.Admin(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAClusterIsListedByMQAdminUnderTheAddressItReports(t *testing.T) {
	c := start(t, Options{})
	out := admin(t, c, "clusterList")
	for _, want := range []string{DefaultBroker, c.BrokerAddr(DefaultBroker), ClusterName, "V5_5_0"} {
		if !strings.Contains(out, want) {
			t.Errorf("mqadmin clusterList does not show %q:\n%s", want, out)
		}
	}
}
