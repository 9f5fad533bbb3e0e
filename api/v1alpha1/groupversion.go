// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "orderflow.dev", Version: "v1alpha1"}

// AddToScheme registers the kinds of this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MQCluster{}, &MQClusterList{},
		&OrderFlow{}, &OrderFlowList{},
		&MQConsumerGroup{}, &MQConsumerGroupList{},
		&ThirdPartyAdapter{}, &ThirdPartyAdapterList{},
		&DeadLetterReplay{}, &DeadLetterReplayList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
