// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// Changed lets through the changes of an MQCluster that matter to what is on its brokers: those of condition.ReadyChanged, another identity, and brokers that came, went or moved.
func Changed() predicate.Predicate {
	return predicate.Or(condition.ReadyChanged(conditionsOf), predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.MQCluster).Status, e.ObjectNew.(*v1alpha1.MQCluster).Status //nolint:forcetypeassert // of a watch on this kind
		return was.Identity != is.Identity || !slices.EqualFunc(was.Brokers, is.Brokers, func(a, b v1alpha1.BrokerStatus) bool {
			return a.Name == b.Name && a.Address == b.Address
		})
	}})
}

func conditionsOf(o client.Object) []metav1.Condition {
	return o.(*v1alpha1.MQCluster).Status.Conditions //nolint:forcetypeassert // of a watch on this kind
}
