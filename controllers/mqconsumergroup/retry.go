// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// retryPlan is what spec.retry comes to. How often a message is tried the workers decide, and it is always known; how long it waits in between
// the brokers do, by delay levels that may be their own, unless its order is kept.
func retryPlan(seen *inputs) *v1alpha1.RetryPlanStatus {
	spec := &seen.group.Spec
	declared, orderly := workerRetry(spec.Retry), spec.Consume.OrderKeyExpression != ""
	asked := worker.Structure{Retry: declared, OrderKeyExpression: spec.Consume.OrderKeyExpression}.Plan()
	plan := &v1alpha1.RetryPlanStatus{Attempts: int32(len(asked) + 1), EndedBy: v1alpha1.EndMaxAttempts}
	levels, unknown := delayLevels(seen)
	const says = "a message that keeps failing is tried %d times and waits %v in all in between, then it is a dead letter"
	switch {
	case broadcasts(seen.group):
		plan.Duration = &metav1.Duration{}
		plan.Message = "a message is tried once; if that fails it is dropped, logged and counted (orderflow_dropped_messages_total)"
	case len(asked) == 0:
		plan.Duration = &metav1.Duration{}
		plan.Message = "a message is tried once; if that fails it is a dead letter"
	case orderly:
		setDelays(plan, asked)
		plan.Message = fmt.Sprintf(says+"; messages of its order key wait for it, and all of its queue do once %d lie beyond it (consume.maxUncommitted)",
			plan.Attempts, plan.Duration.Duration, spec.Consume.MaxUncommitted)
	case unknown != "":
		plan.Message = fmt.Sprintf("a message that keeps failing is tried %d times, then it is a dead letter; how long it waits in between is not known: %s",
			plan.Attempts, unknown)
	default:
		delays := declared.Delays(levels)
		setDelays(plan, delays)
		plan.Message = fmt.Sprintf(says, plan.Attempts, plan.Duration.Duration)
		if !slices.Equal(delays, asked) {
			plan.Message += "; the brokers have delay levels of their own (messageDelayLevel), while maxDuration is counted in RocketMQ's"
		}
	}
	if cut := declared.MaxAttempts - int(plan.Attempts); cut > 0 {
		plan.EndedBy = v1alpha1.EndMaxDuration
		plan.Message += fmt.Sprintf("; maxDuration %v cuts off %d of the %d attempts of maxAttempts", declared.MaxDuration.D(), cut, declared.MaxAttempts)
	}
	return plan
}

func setDelays(plan *v1alpha1.RetryPlanStatus, delays []time.Duration) {
	plan.Duration = &metav1.Duration{}
	for _, d := range delays {
		plan.Delays = append(plan.Delays, metav1.Duration{Duration: d})
		plan.Duration.Duration += d
	}
}

// delayLevels are those of all master brokers; unknown says why they are not known. A message waits in the broker it came from, so brokers that
// differ have no plan in common.
func delayLevels(seen *inputs) (levels []time.Duration, unknown string) {
	name := seen.group.Spec.ClusterRef.Name
	if !topology.Usable(seen.cluster, name).IsDone() {
		return nil, fmt.Sprintf("MQCluster %s is not Ready", name)
	}
	brokers := seen.cluster.Status.Brokers
	for _, b := range brokers {
		own, err := rocketmq.ParseDelayLevels(b.DelayLevels)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("messageDelayLevel of broker %s cannot be read: %v", b.Name, err)
		case levels != nil && !slices.Equal(levels, own):
			return nil, fmt.Sprintf("brokers %s and %s have different delay levels: give all of them one messageDelayLevel", brokers[0].Name, b.Name)
		}
		levels = own
	}
	if levels == nil {
		return nil, fmt.Sprintf("MQCluster %s has no brokers", name)
	}
	return levels, ""
}
