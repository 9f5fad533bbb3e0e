// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// Objects are all that metrics are made of.
type Objects struct {
	Clusters v1alpha1.MQClusterList
	Flows    v1alpha1.OrderFlowList
	Groups   v1alpha1.MQConsumerGroupList
	Adapters v1alpha1.ThirdPartyAdapterList
	Replays  v1alpha1.DeadLetterReplayList
}

// Read reads them, from a cache in an operator.
func Read(ctx context.Context, from client.Reader) (o Objects, err error) {
	return o, errors.Join(from.List(ctx, &o.Clusters), from.List(ctx, &o.Flows), from.List(ctx, &o.Groups), from.List(ctx, &o.Adapters), from.List(ctx, &o.Replays))
}

// conditions calls each with all conditions of all objects.
func (o *Objects) conditions(each func(kind string, object metav1.Object, conditions []metav1.Condition)) {
	for i := range o.Clusters.Items {
		each("MQCluster", &o.Clusters.Items[i], o.Clusters.Items[i].Status.Conditions)
	}
	for i := range o.Flows.Items {
		each("OrderFlow", &o.Flows.Items[i], o.Flows.Items[i].Status.Conditions)
	}
	for i := range o.Groups.Items {
		each("MQConsumerGroup", &o.Groups.Items[i], o.Groups.Items[i].Status.Conditions)
	}
	for i := range o.Adapters.Items {
		each("ThirdPartyAdapter", &o.Adapters.Items[i], o.Adapters.Items[i].Status.Conditions)
	}
	for i := range o.Replays.Items {
		each("DeadLetterReplay", &o.Replays.Items[i], o.Replays.Items[i].Status.Conditions)
	}
}
