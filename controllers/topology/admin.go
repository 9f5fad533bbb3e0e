// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Admin administers one RocketMQ cluster. It is safe for concurrent use.
type Admin struct {
	// Client speaks with the broker whose address it is given.
	*rocketmq.Client
	// Cluster asks the name servers.
	*rocketmq.Cluster

	surveyEvery time.Duration
	mu          sync.Mutex
	surveyed    time.Time
	seen        Cluster
}

// Cluster is what the name servers say of a RocketMQ cluster.
type Cluster struct {
	// Name the brokers give their cluster.
	Name string
	// Masters that are alive, sorted by name; at least one.
	Masters []Master
	// Masterless are the brokers of which slaves alone are alive, by name.
	Masterless []string
}

// Master is a master broker.
type Master struct {
	Name string
	// Addr is host:port.
	Addr string
}

// Survey asks the name servers for the cluster and its master brokers, unless they said so a moment ago. Where they know none or several clusters, the result says so.
func (a *Admin) Survey(ctx context.Context) (Cluster, result.Result) {
	a.mu.Lock()
	seen, age := a.seen, time.Since(a.surveyed)
	a.mu.Unlock()
	if age < a.surveyEvery {
		return seen, result.Result{}
	}
	seen, r := a.survey(ctx)
	if r.IsDone() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.seen, a.surveyed = seen, time.Now()
	}
	return seen, r
}

func (a *Admin) survey(ctx context.Context) (Cluster, result.Result) {
	info, err := a.Info(ctx)
	if err != nil {
		return Cluster{}, explain(err, v1alpha1.ReasonNameServerUnreachable, "asking the name servers for the brokers of the cluster")
	}
	return interpret(info)
}

func interpret(info rocketmq.ClusterInfo) (Cluster, result.Result) {
	if len(info.Clusters) > 1 {
		names := slices.Sorted(maps.Keys(info.Clusters))
		return Cluster{}, result.Stall(v1alpha1.ReasonSeveralClusters,
			"the name servers serve %d RocketMQ clusters (%s): give each cluster name servers of its own, so that a topic has one place", len(names), strings.Join(names, ", "))
	}
	var cluster Cluster
	for _, b := range info.Masters("") {
		cluster.Name = b.Cluster
		cluster.Masters = append(cluster.Masters, Master{Name: b.Name, Addr: b.Master()})
	}
	for name, b := range info.Brokers {
		if b.Master() == "" {
			cluster.Masterless = append(cluster.Masterless, name)
		}
	}
	slices.Sort(cluster.Masterless)
	if len(cluster.Masters) == 0 {
		return Cluster{}, result.Wait(v1alpha1.ReasonNoMaster, lookAgain,
			"the name servers answer but know no master broker: start a broker with brokerId 0, and check its namesrvAddr")
	}
	return cluster, result.Result{}
}
