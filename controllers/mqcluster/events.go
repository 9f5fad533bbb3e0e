// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// record sends events for what changed.
func (r *Reconciler) record(cluster, before *v1alpha1.MQCluster, changed []condition.Transition) {
	condition.RecordReady(r.Recorder, cluster, cluster.Status.Conditions, changed)
	if was, is := masters(before), masters(cluster); len(was) > 0 && len(is) > 0 && !slices.Equal(was, is) {
		condition.Event(r.Recorder, cluster, corev1.EventTypeNormal, "BrokersChanged",
			"the master brokers were "+strings.Join(was, ", ")+" and are now "+strings.Join(is, ", "))
	}
}

func masters(cluster *v1alpha1.MQCluster) []string {
	var list []string
	for _, b := range cluster.Status.Brokers {
		list = append(list, b.Name+" at "+b.Address)
	}
	return list
}
