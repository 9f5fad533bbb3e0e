// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package metric

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/verification"
)

// Objects are all that metrics are made of.
type Objects struct {
	Clusters v1alpha1.MQClusterList
	Flows    v1alpha1.OrderFlowList
	Groups   v1alpha1.MQConsumerGroupList
	Adapters v1alpha1.ThirdPartyAdapterList
	Replays  v1alpha1.DeadLetterReplayList
	Verified Verified
}

// Verified has the verifications of each kind.
type Verified map[string]*verification.Book

// Read reads them, from a cache in an operator, whose objects they are: nothing of them may be changed.
func Read(ctx context.Context, from client.Reader, verified Verified) (Objects, error) {
	o := Objects{Verified: verified}
	var errs []error
	for _, list := range []client.ObjectList{&o.Clusters, &o.Flows, &o.Groups, &o.Adapters, &o.Replays} {
		errs = append(errs, from.List(ctx, list, client.UnsafeDisableDeepCopy))
	}
	return o, errors.Join(errs...)
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
