// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"slices"
	"strconv"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// MaxPods is the most pods a group can have.
func MaxPods(group *v1alpha1.ConsumerTemplate) int32 {
	switch {
	case group.Scaling != nil:
		return group.Scaling.MaxReplicas
	case group.Replicas != nil:
		return *group.Replicas
	}
	return 1
}

// Pods is the most pods that can call the adapter at once: the sum of MaxPods over the groups that refer to it. The groups are those of the
// adapter's namespace. One that is being deleted counts until it is gone, since its pods may still run; one that is a shadow calls nobody.
func Pods(adapter string, groups []v1alpha1.MQConsumerGroup) int32 {
	var pods int32
	for i := range groups {
		if groups[i].Spec.Dispatch != v1alpha1.DispatchShadow && slices.Contains(groups[i].Spec.Handler.Adapters(), adapter) {
			pods += MaxPods(&groups[i].Spec.ConsumerTemplate)
		}
	}
	return pods
}

// Share is what one of pods may use of the account's limits. With no pods it is the whole: the share of the first that would start.
func Share(adapter *v1alpha1.ThirdPartyAdapterSpec, pods int32) v1alpha1.AdapterShare {
	share := v1alpha1.AdapterShare{Pods: pods}
	if rate := requestsPerSecond(adapter.RateLimit, pods); rate > 0 {
		share.RequestsPerSecond = strconv.FormatFloat(rate, 'g', 7, 64)
	}
	if adapter.Concurrency != nil {
		share.Concurrency = part(adapter.Concurrency.Max, pods)
	}
	return share
}

// Limits are the limits one of pods runs with towards the adapter of that name.
func Limits(name string, adapter *v1alpha1.ThirdPartyAdapterSpec, pods int32) worker.AdapterLimits {
	limits := worker.AdapterLimits{
		Name:            name,
		Timeout:         worker.Duration(adapter.Timeout.Duration),
		RequestAttempts: int(adapter.Retry.MaxAttempts),
		RetryDelay:      worker.Duration(adapter.Retry.InitialDelay.Duration),
		RetryPercentage: int(adapter.Retry.BudgetPercentage),
		Breaker: worker.Breaker{
			FailurePercentage: int(adapter.CircuitBreaker.FailurePercentage),
			MinimumRequests:   int(adapter.CircuitBreaker.MinimumRequests),
			Window:            worker.Duration(adapter.CircuitBreaker.Window.Duration),
			OpenDuration:      worker.Duration(adapter.CircuitBreaker.OpenDuration.Duration),
		},
		RequestsPerSecond: requestsPerSecond(adapter.RateLimit, pods),
	}
	if slow := adapter.CircuitBreaker.SlowRequestDuration; slow != nil {
		limits.Breaker.SlowRequest = worker.Duration(slow.Duration)
	}
	if adapter.RateLimit != nil {
		limits.Burst = int(part(adapter.RateLimit.Burst, pods))
	}
	if adapter.Concurrency != nil {
		limits.Concurrency = int(part(adapter.Concurrency.Max, pods))
		limits.Adaptive = adapter.Concurrency.Mode == v1alpha1.ConcurrencyAdaptive
	}
	return limits
}

// Oversubscribed says that the pods together may have more requests in flight than the account allows, since each has at least one.
func Oversubscribed(adapter *v1alpha1.ThirdPartyAdapterSpec, pods int32) bool {
	return adapter.Concurrency != nil && pods > adapter.Concurrency.Max
}

// requestsPerSecond of one pod; 0 without a limit.
func requestsPerSecond(limit *v1alpha1.RateLimit, pods int32) float64 {
	if limit == nil {
		return 0
	}
	return float64(limit.Requests) / limit.Period.Seconds() / float64(max(pods, 1))
}

// part of a whole that cannot be divided further than 1.
func part(whole, pods int32) int32 { return max(whole/max(pods, 1), 1) }
