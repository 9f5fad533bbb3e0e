// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// timeout of all that is read of one cluster.
const timeout = 10 * time.Second

// facts are what was read of a cluster.
type facts struct {
	// reached is done where the name servers told the brokers; else brokers are not known.
	reached result.Result
	cluster topology.Cluster
	// brokers are cluster.Masters and those that are lost, sorted by name.
	brokers []brokerFacts
	// masterless are brokers that were never seen with a master, and that nobody has said to be gone.
	masterless []string
}

// brokerFacts are what one master said of itself.
type brokerFacts struct {
	topology.Master
	// lost says that the name servers have dropped it since it was last seen.
	lost    bool
	runtime rocketmq.BrokerRuntime
	config  rocketmq.BrokerConfig
	err     error
}

// gather reads:
//  1. the Secret with the access key, if the cluster has one,
//  2. from the name servers: the cluster's name and its master brokers,
//  3. from each master, all at once: its version and its configuration,
//  4. from the status: the masters that are lost, and of the others those that are slaves without a master.
func (r *Reconciler) gather(ctx context.Context, cluster *v1alpha1.MQCluster) facts {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	admin, reached := r.Connector.Connect(ctx, cluster)
	if !reached.IsDone() {
		return facts{reached: reached}
	}
	survey, reached := admin.Survey(ctx)
	if !reached.IsDone() {
		return facts{reached: reached}
	}
	seen := facts{cluster: survey, brokers: make([]brokerFacts, len(survey.Masters))}
	var asked sync.WaitGroup
	for i, master := range survey.Masters {
		asked.Go(func() { seen.brokers[i] = ask(ctx, admin, master) })
	}
	asked.Wait()
	for _, b := range topology.Lost(cluster, survey) {
		seen.brokers = append(seen.brokers, brokerFacts{Master: topology.Master{Name: b.Name, Addr: b.Address}, lost: true})
	}
	for _, name := range survey.Masterless {
		known := slices.ContainsFunc(seen.brokers, func(b brokerFacts) bool { return b.Name == name })
		if !known && cluster.Annotations[v1alpha1.ForgetBrokerAnnotation] != name {
			seen.masterless = append(seen.masterless, name)
		}
	}
	slices.SortFunc(seen.brokers, func(a, b brokerFacts) int { return strings.Compare(a.Name, b.Name) })
	return seen
}

// ask does not ask a second question of a broker that left the first unanswered.
func ask(ctx context.Context, admin *topology.Admin, master topology.Master) brokerFacts {
	seen := brokerFacts{Master: master}
	if seen.runtime, seen.err = admin.BrokerRuntime(ctx, master.Addr); seen.err != nil {
		return seen
	}
	seen.config, seen.err = admin.BrokerConfig(ctx, master.Addr)
	return seen
}
