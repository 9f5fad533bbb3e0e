// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"errors"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// putTopic writes the topic to the brokers of the plan and reads it back from them. It returns the topic as all masters have it now.
func (r *Reconciler) putTopic(ctx context.Context, seen facts, plan topicPlan) []brokerTopic {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	brokers := make([]brokerTopic, len(seen.brokers))
	var written sync.WaitGroup
	for i, b := range seen.brokers {
		config, wanted := plan.puts[b.Name]
		if brokers[i] = b; !wanted {
			continue
		}
		written.Go(func() {
			if brokers[i].err = seen.admin.PutTopic(ctx, b.Addr, config); brokers[i].err == nil {
				brokers[i] = readOne(ctx, seen.admin, b.Master, config.Name)
			}
		})
	}
	written.Wait()
	return brokers
}

// applyBinding writes the producer-binding Secret, and removes the one of an earlier name.
func (r *Reconciler) applyBinding(ctx context.Context, flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster) result.Result {
	credentials, allowed := r.Connector.Credentials(ctx, cluster)
	if !allowed.IsDone() {
		return allowed
	}
	trust, allowed := r.Connector.Trust(ctx, cluster)
	if !allowed.IsDone() {
		return allowed
	}
	secret := desiredBinding(flow, cluster, credentials, trust)
	if err := r.Applier.Apply(ctx, flow, secret); err != nil {
		return explainApply(err, v1alpha1.ReasonBindingSecretTaken,
			"set spec.producer.bindingSecretName to a name that is free, or delete that Secret")
	}
	if old := flow.Status.Binding; old != nil && old.Name != secret.Name {
		renamed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: flow.Namespace, Name: old.Name}}
		if err := r.Applier.Delete(ctx, flow, renamed); err != nil {
			return explainApply(err, v1alpha1.ReasonApplyFailed, "")
		}
	}
	return result.Result{}
}

// applyGroups writes the MQConsumerGroups, deletes those of consumers that are no longer declared, and returns the groups as they are now, in
// the order of the consumers; one that could not be applied is nil.
func (r *Reconciler) applyGroups(ctx context.Context, flow *v1alpha1.OrderFlow) ([]*v1alpha1.MQConsumerGroup, []result.Result) {
	groups := desiredGroups(flow)
	var keep []string
	var results []result.Result
	for i, group := range groups {
		keep = append(keep, group.Name)
		if err := r.Applier.Apply(ctx, flow, group); err != nil {
			results = append(results, explainApply(err, v1alpha1.ReasonGroupNameTaken,
				"rename the consumer in spec.consumers, or delete that MQConsumerGroup"))
			groups[i] = nil
		}
	}
	err := r.Applier.Prune(ctx, flow, &v1alpha1.MQConsumerGroupList{}, keep, client.MatchingLabels{FlowLabel: flow.Name})
	return groups, append(results, explainApply(err, v1alpha1.ReasonApplyFailed, ""))
}

// explainApply turns the error of writing to the API into a result. taken and cure are for an object of the name that is somebody else's.
func explainApply(err error, taken, cure string) result.Result {
	var others *apply.TakenError
	switch {
	case err == nil:
		return result.Result{}
	case errors.As(err, &others):
		return result.Stall(taken, "%v: %s", others, cure)
	case apierrors.IsInvalid(err):
		return result.Stall(v1alpha1.ReasonApplyFailed, "the API server refuses what the flow declares: %v", err)
	}
	return result.Fail(v1alpha1.ReasonApplyFailed, err, "writing what the flow declares")
}
