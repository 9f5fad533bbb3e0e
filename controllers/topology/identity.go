// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// Identify names the physical cluster an MQCluster means. RocketMQ has no id for a cluster, so the name is taken at the first sight of it:
// cluster name and master addresses, hashed. It is kept when brokers come, go or move, as pods do: as long as the cluster name is the same
// and either an address is still among the brokers or spec was not edited since they were seen. Else a broker that got a new address would
// make every topic look like somebody else's.
//
// It relies on status.brokers being empty where the brokers of the current spec have not been seen yet.
func Identify(before *v1alpha1.MQCluster, seen Cluster) string {
	status := before.Status
	unedited := status.ObservedGeneration == before.Generation && len(status.Brokers) > 0
	if status.Identity != "" && status.ClusterName == seen.Name && (unedited || overlap(status.Brokers, seen.brokers())) {
		return status.Identity
	}
	var addrs []string
	for _, m := range seen.Masters {
		addrs = append(addrs, m.Addr)
	}
	slices.Sort(addrs)
	sum := sha256.Sum256([]byte(seen.Name + "\n" + strings.Join(addrs, "\n")))
	return hex.EncodeToString(sum[:16])
}

// Lost are the masters that were there when the spec, as it is now, was last looked at, and are not listed any more: name servers drop a broker
// that sends no heartbeat, with every message it holds. One that is said to be gone for good is not missed.
func Lost(before *v1alpha1.MQCluster, seen Cluster) []v1alpha1.BrokerStatus {
	if before.Status.ObservedGeneration != before.Generation || before.Status.ClusterName != seen.Name {
		return nil // those may be of another cluster
	}
	var lost []v1alpha1.BrokerStatus
	for _, b := range before.Status.Brokers {
		listed := slices.ContainsFunc(seen.Masters, func(m Master) bool { return m.Name == b.Name })
		if !listed && before.Annotations[v1alpha1.ForgetBrokerAnnotation] != b.Name {
			lost = append(lost, b)
		}
	}
	return lost
}

func (c Cluster) brokers() []v1alpha1.BrokerStatus {
	var list []v1alpha1.BrokerStatus
	for _, m := range c.Masters {
		list = append(list, v1alpha1.BrokerStatus{Name: m.Name, Address: m.Addr})
	}
	return list
}

// SameCluster reports whether two MQClusters are one physical cluster, as far as is known: a cluster never reached is nobody's.
func SameCluster(a, b v1alpha1.MQClusterStatus) bool {
	if a.Identity == "" || b.Identity == "" {
		return false
	}
	return a.Identity == b.Identity || a.ClusterName == b.ClusterName && overlap(a.Brokers, b.Brokers)
}

func overlap(a, b []v1alpha1.BrokerStatus) bool {
	return slices.ContainsFunc(a, func(x v1alpha1.BrokerStatus) bool {
		return slices.ContainsFunc(b, func(y v1alpha1.BrokerStatus) bool { return x.Address == y.Address })
	})
}
