// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Labels of what belongs to a flow.
const (
	// FlowLabel names the OrderFlow.
	FlowLabel = "orderflow.dev/flow"
	// ConsumerLabel names the consumer within it, on an MQConsumerGroup.
	ConsumerLabel = "orderflow.dev/consumer"
)

// messageTypeAttribute is RocketMQ's name of a topic's type.
const messageTypeAttribute = "message.type"

// wantedType is the declared type in RocketMQ's words.
func wantedType(flow *v1alpha1.OrderFlow) string {
	return strings.ToUpper(string(flow.Spec.Topic.MessageType))
}

// messageType is the type a broker says the topic has; one without is a normal topic, as older versions make it.
func messageType(topic rocketmq.TopicConfig) string {
	switch kind := topic.Attributes[messageTypeAttribute]; kind {
	case "", "UNSPECIFIED":
		return "NORMAL"
	default:
		return kind
	}
}

const readWrite = rocketmq.PermRead | rocketmq.PermWrite

// permission is the declared one in RocketMQ's bits.
func permission(flow *v1alpha1.OrderFlow) int {
	switch flow.Spec.Topic.Permission {
	case v1alpha1.TopicRead:
		return rocketmq.PermRead
	case v1alpha1.TopicWrite:
		return rocketmq.PermWrite
	}
	return readWrite
}

// corrected is the topic as it should be, with so many queues, at a broker that has it as found, or not at all. What is not declared stays as it is;
// a queue that takes messages is read.
func corrected(flow *v1alpha1.OrderFlow, found *rocketmq.TopicConfig, queues int) rocketmq.TopicConfig {
	if found == nil {
		return rocketmq.TopicConfig{
			Name: flow.Spec.Topic.Name, ReadQueues: queues, WriteQueues: queues, Perm: permission(flow),
			Attributes: map[string]string{messageTypeAttribute: wantedType(flow)},
		}
	}
	topic := *found
	topic.WriteQueues, topic.Perm = max(queues, found.WriteQueues), permission(flow)
	topic.ReadQueues = max(topic.WriteQueues, found.ReadQueues)
	return topic
}

// differences says, field by field, what of the topic is not as it should be with so many queues; none: there should be no topic.
func differences(flow *v1alpha1.OrderFlow, found *rocketmq.TopicConfig, queues int) []string {
	switch {
	case found == nil && queues == 0:
		return nil
	case found == nil:
		return []string{"it does not have the topic"}
	}
	want := corrected(flow, found, queues)
	var list []string
	for _, field := range []struct {
		name      string
		got, want int
	}{
		{"read queues", found.ReadQueues, want.ReadQueues},
		{"write queues", found.WriteQueues, want.WriteQueues},
		{"permission", found.Perm, want.Perm},
	} {
		if field.got != field.want {
			list = append(list, fmt.Sprintf("%s %d instead of %d", field.name, field.got, field.want))
		}
	}
	return list
}

// GroupName is the name of the MQConsumerGroup of a consumer.
func GroupName(flow, consumer string) string { return flow + "-" + consumer }

// desiredGroups are the MQConsumerGroups of the flow, in the order of its consumers. Replicas are left out where they are not declared, so that
// kubectl scale, HPA and KEDA own them.
func desiredGroups(flow *v1alpha1.OrderFlow) []*v1alpha1.MQConsumerGroup {
	var groups []*v1alpha1.MQConsumerGroup
	for _, consumer := range flow.Spec.Consumers {
		meta := metaOf(flow, GroupName(flow.Name, consumer.Name))
		meta.Labels[ConsumerLabel] = consumer.Name
		groups = append(groups, &v1alpha1.MQConsumerGroup{
			ObjectMeta: meta,
			Spec: v1alpha1.MQConsumerGroupSpec{
				ClusterRef:       flow.Spec.ClusterRef,
				Topic:            flow.Spec.Topic.Name,
				ConsumerTemplate: *consumer.ConsumerTemplate.DeepCopy(),
			},
		})
	}
	return groups
}

func bindingName(flow *v1alpha1.OrderFlow) string {
	if name := flow.Spec.Producer.BindingSecretName; name != "" {
		return name
	}
	return flow.Name + "-producer"
}

// desiredBinding is the Secret by which the order system sends, in the shape of a Service Binding. runtime/producer reads it.
func desiredBinding(flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster, credentials rocketmq.Credentials, trust topology.Trust) *corev1.Secret {
	producer := flow.Spec.Producer
	data := map[string][]byte{
		"type":          []byte("rocketmq"),
		"provider":      []byte("orderflow"),
		"name-servers":  []byte(strings.Join(cluster.Spec.NameServers, ",")),
		"topic":         []byte(flow.Spec.Topic.Name),
		"group":         []byte(producer.Group),
		"send-mode":     []byte(producer.SendMode),
		"send-timeout":  []byte(producer.SendTimeout.Duration.String()),
		"async-retries": []byte(strconv.Itoa(int(producer.AsyncRetries))),
	}
	if trust.Verify {
		data["tls"] = []byte(v1alpha1.TLSVerify)
	}
	for key, value := range map[string]string{
		worker.CAKey: trust.Authorities, "tls-server-name": trust.ServerName,
		"order-queues": orderQueues(flow.Status.Topic), "access-key": credentials.AccessKey, "secret-key": credentials.SecretKey, "security-token": credentials.SecurityToken,
	} {
		if value != "" {
			data[key] = []byte(value)
		}
	}
	return &corev1.Secret{ObjectMeta: metaOf(flow, bindingName(flow)), Type: "servicebinding.io/rocketmq", Data: data}
}

func metaOf(flow *v1alpha1.OrderFlow, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: flow.Namespace,
		Name:      name,
		Labels:    map[string]string{FlowLabel: flow.Name, "app.kubernetes.io/managed-by": "orderflow"},
	}
}
