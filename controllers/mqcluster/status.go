// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/demand"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// setStatus writes into the status what was seen.
func setStatus(cluster *v1alpha1.MQCluster, seen facts, results []result.Result, now time.Time) {
	status := &cluster.Status
	if seen.reached.IsDone() {
		status.Identity = topology.Identify(cluster, seen.cluster)
		status.ClusterName = seen.cluster.Name
		status.Brokers = brokers(seen)
	} else {
		forgetBrokers(cluster)
	}
	status.Features = features(seen)
	status.ObservedGeneration = cluster.Generation
	status.LastHandledReconcileAt = demand.Heard(cluster, status.LastHandledReconcileAt)
	done := fmt.Sprintf("cluster %s is reached; masters: %d", status.ClusterName, len(status.Brokers))
	conditions := append(condition.Summary(done, results...), brokerSettings(seen))
	condition.Set(&status.Conditions, cluster.Generation, now, conditions...)
}

func brokers(seen facts) []v1alpha1.BrokerStatus {
	var list []v1alpha1.BrokerStatus
	for _, b := range seen.brokers {
		status := v1alpha1.BrokerStatus{
			Name: b.Name, Address: b.Addr, Version: b.runtime.Version(), DelayLevels: b.config[rocketmq.DelayLevels], DeleteWhen: b.config[rocketmq.DeleteWhen], Disk: disk(b),
		}
		if retention, told := b.config.Retention(); told {
			status.Retention = &metav1.Duration{Duration: retention}
		}
		list = append(list, status)
	}
	return list
}

// A broker deletes files before their time where its disk is fuller than diskSpaceCleanForciblyRatio, 85 %; not every version tells its own.
const (
	forcibly       = 0.85
	defaultDiskUse = 75
)

func disk(b brokerFacts) v1alpha1.DiskState {
	used, told := b.runtime.DiskUse()
	percent, err := strconv.ParseFloat(b.config[rocketmq.DiskUsePercent], 64)
	if err != nil {
		percent = defaultDiskUse
	}
	switch {
	case !told || b.err != nil:
		return ""
	case used > forcibly:
		return v1alpha1.DiskFull
	case used > percent/100:
		return v1alpha1.DiskPressure
	}
	return v1alpha1.DiskNormal
}

// forgetBrokers drops what was known of the brokers and is no more: what they said of themselves; and where spec was edited, the brokers
// themselves, which may be others'. topology.Identify relies on that.
func forgetBrokers(cluster *v1alpha1.MQCluster) {
	if cluster.Status.ObservedGeneration != cluster.Generation {
		cluster.Status.Brokers = nil
	}
	for i, b := range cluster.Status.Brokers {
		cluster.Status.Brokers[i] = v1alpha1.BrokerStatus{Name: b.Name, Address: b.Address}
	}
}

func features(seen facts) *v1alpha1.MQClusterFeatures {
	return &v1alpha1.MQClusterFeatures{
		SQL92:           feature(seen.brokers, rocketmq.PropertyFilter),
		Timer:           feature(seen.brokers, rocketmq.TimerWheel),
		AutoCreateTopic: feature(seen.brokers, rocketmq.AutoCreateTopic),
		AutoCreateGroup: feature(seen.brokers, rocketmq.AutoCreateGroup),
	}
}

// feature sums a boolean property up over all masters.
func feature(brokers []brokerFacts, property string) v1alpha1.FeatureState {
	var on, off int
	for _, b := range brokers {
		switch value, told := b.config[property]; {
		case b.err != nil || !told:
			return v1alpha1.FeatureUnknown
		case value == "true":
			on++
		default:
			off++
		}
	}
	switch {
	case on > 0 && off > 0:
		return v1alpha1.FeatureMixed
	case on > 0:
		return v1alpha1.FeatureOn
	case off > 0:
		return v1alpha1.FeatureOff
	}
	return v1alpha1.FeatureUnknown
}
