// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// Labels of everything that belongs to a group.
const (
	labelGroup     = v1alpha1.ConsumerGroupLabel
	labelName      = "app.kubernetes.io/name"
	labelInstance  = "app.kubernetes.io/instance"
	labelManagedBy = "app.kubernetes.io/managed-by"
	// labelConfig tells a group's ConfigMaps apart: structure or live.
	labelConfig = "orderflow.dev/config"
)

// labelMetrics on a namespace lets its pods read the workers' metrics, which are behind TLS and token as well.
const labelMetrics = "orderflow.dev/metrics"

// annotationDefaultImage on a Deployment is the operator's worker image the pods were made with; see pinnedImage.
const annotationDefaultImage = "orderflow.dev/default-image"

// annotationTemplate on a Deployment is the hash of the pods' template without the image; see pinnedImage.
const annotationTemplate = "orderflow.dev/template"

// annotationScaled on a Deployment is when its number of pods was last changed, written with the number: a status may be written late or never.
const annotationScaled = "orderflow.dev/scaled"

func syncSecretName(group *v1alpha1.MQConsumerGroup) string { return group.Name + "-sync" }
func liveName(group *v1alpha1.MQConsumerGroup) string       { return group.Name + "-live" }

// selector of the group's pods. A Deployment's selector can never change.
func selector(group *v1alpha1.MQConsumerGroup) map[string]string {
	return map[string]string{labelGroup: group.Name}
}

func labels(group *v1alpha1.MQConsumerGroup) map[string]string {
	set := map[string]string{labelName: "orderflow-worker", labelInstance: group.Name, labelManagedBy: "orderflow"}
	maps.Copy(set, selector(group))
	return set
}

// meta of an object of the group.
func objectMeta(group *v1alpha1.MQConsumerGroup, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: group.Namespace, Name: name, Labels: labels(group)}
}
