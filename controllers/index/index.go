// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// What objects are found by.
const (
	// Group is the name on the brokers of an MQConsumerGroup.
	Group = "spec.group"
	// Topic is the topic that an OrderFlow declares, or an MQConsumerGroup consumes.
	Topic = "spec.topic"
	// Cluster is the MQCluster that an OrderFlow or an MQConsumerGroup refers to, within its namespace.
	Cluster = "spec.clusterRef.name"
	// Adapter is each ThirdPartyAdapter that an MQConsumerGroup refers to, within its namespace.
	Adapter = "spec.handler.adapterRef.name"
	// GroupLabel is the MQConsumerGroup that a Pod or a ConfigMap belongs to by its label, within its namespace.
	GroupLabel = "metadata.labels." + v1alpha1.ConsumerGroupLabel
)

// kind is a kind with its indexes.
type kind struct {
	object client.Object
	fields map[string]client.IndexerFunc
}

func kinds() []kind {
	return []kind{
		{&v1alpha1.MQConsumerGroup{}, map[string]client.IndexerFunc{
			Group:   of(func(g *v1alpha1.MQConsumerGroup) []string { return []string{g.Spec.Group} }),
			Topic:   of(func(g *v1alpha1.MQConsumerGroup) []string { return []string{g.Spec.Topic} }),
			Cluster: of(func(g *v1alpha1.MQConsumerGroup) []string { return []string{g.Spec.ClusterRef.Name} }),
			Adapter: of(func(g *v1alpha1.MQConsumerGroup) []string { return g.Spec.Handler.Adapters() }),
		}},
		{&v1alpha1.OrderFlow{}, map[string]client.IndexerFunc{
			Topic:   of(func(f *v1alpha1.OrderFlow) []string { return []string{f.Spec.Topic.Name} }),
			Cluster: of(func(f *v1alpha1.OrderFlow) []string { return []string{f.Spec.ClusterRef.Name} }),
		}},
		{&corev1.Pod{}, map[string]client.IndexerFunc{GroupLabel: labelled}},
		{&corev1.ConfigMap{}, map[string]client.IndexerFunc{GroupLabel: labelled}},
	}
}

// labelled is the group in an object's label.
func labelled(o client.Object) []string {
	if group := o.GetLabels()[v1alpha1.ConsumerGroupLabel]; group != "" {
		return []string{group}
	}
	return nil
}

func of[T client.Object](values func(T) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		typed, is := o.(T)
		if !is {
			return nil
		}
		return values(typed)
	}
}

// Register makes all indexes.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	for _, k := range kinds() {
		for field, values := range k.fields {
			if err := indexer.IndexField(ctx, k.object, field, values); err != nil {
				return fmt.Errorf("index %T by %s: %w", k.object, field, err)
			}
		}
	}
	return nil
}

// Values of an object in an index; none where its kind has no such index.
func Values(o client.Object, field string) (values []string) {
	for _, k := range kinds() {
		if f := k.fields[field]; f != nil {
			values = append(values, f(o)...)
		}
	}
	return values
}
