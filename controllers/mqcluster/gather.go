// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"context"
	"errors"
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
}

// brokerFacts are what one master said of itself.
type brokerFacts struct {
	topology.Master
	// lost says that the name servers have dropped it since it was last seen.
	lost    bool
	version string
	config  rocketmq.BrokerConfig
	err     error
}

// gather reads:
//  1. the Secret with the access key, if the cluster has one,
//  2. from the name servers: the cluster's name and its master brokers,
//  3. from each master, all at once: its version and its configuration,
//  4. from the status: the masters that are lost.
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
	seen.brokers = append(seen.brokers, lost(cluster, survey)...)
	slices.SortFunc(seen.brokers, func(a, b brokerFacts) int { return strings.Compare(a.Name, b.Name) })
	return seen
}

// lost are the masters that were there when the spec, as it is now, was last looked at, and are not listed any more: name servers drop a broker
// that sends no heartbeat, with every message it holds. One that is said to be gone for good is not missed.
func lost(cluster *v1alpha1.MQCluster, survey topology.Cluster) []brokerFacts {
	if cluster.Status.ObservedGeneration != cluster.Generation || cluster.Status.ClusterName != survey.Name {
		return nil // those may be of another cluster
	}
	var list []brokerFacts
	for _, b := range cluster.Status.Brokers {
		listed := slices.ContainsFunc(survey.Masters, func(m topology.Master) bool { return m.Name == b.Name })
		if !listed && cluster.Annotations[v1alpha1.ForgetBrokerAnnotation] != b.Name {
			list = append(list, brokerFacts{Master: topology.Master{Name: b.Name, Addr: b.Address}, lost: true})
		}
	}
	return list
}

func ask(ctx context.Context, admin *topology.Admin, master topology.Master) brokerFacts {
	runtime, runtimeErr := admin.BrokerRuntime(ctx, master.Addr)
	config, configErr := admin.BrokerConfig(ctx, master.Addr)
	return brokerFacts{Master: master, version: runtime.Version(), config: config, err: errors.Join(runtimeErr, configErr)}
}
