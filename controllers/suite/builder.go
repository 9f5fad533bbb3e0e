// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// Cluster is an MQCluster "mq" behind the name servers.
func (s *Suite) Cluster(nameServers ...string) *v1alpha1.MQCluster {
	return &v1alpha1.MQCluster{
		ObjectMeta: s.meta("mq"),
		Spec:       v1alpha1.MQClusterSpec{NameServers: nameServers},
	}
}

// Adapter is a ThirdPartyAdapter that honours idempotency keys.
func (s *Suite) Adapter(name string) *v1alpha1.ThirdPartyAdapter {
	return &v1alpha1.ThirdPartyAdapter{
		ObjectMeta: s.meta(name),
		Spec: v1alpha1.ThirdPartyAdapterSpec{
			URL:         "https://" + name + ".example.com",
			Idempotency: v1alpha1.IdempotencyContract{Keys: v1alpha1.KeyHonoured},
		},
	}
}

// Consumer is a consumer of the group that tells the adapter "sms".
func Consumer(group string) v1alpha1.ConsumerTemplate {
	return v1alpha1.ConsumerTemplate{
		Group: group,
		Handler: v1alpha1.Handler{Type: v1alpha1.HandlerPush, Push: &v1alpha1.PushHandler{
			AdapterRef: v1alpha1.LocalObjectReference{Name: "sms"}, TemplateID: "order_paid", ToExpression: "order.phone",
		}},
	}
}

// Group is an MQConsumerGroup on the cluster "mq".
func (s *Suite) Group(name, topic string) *v1alpha1.MQConsumerGroup {
	return &v1alpha1.MQConsumerGroup{
		ObjectMeta: s.meta(name),
		Spec: v1alpha1.MQConsumerGroupSpec{
			ClusterRef:       v1alpha1.LocalObjectReference{Name: "mq"},
			Topic:            topic,
			ConsumerTemplate: Consumer(name),
		},
	}
}

// Flow is an OrderFlow on the cluster "mq" with one consumer, "push".
func (s *Suite) Flow(name, topic string) *v1alpha1.OrderFlow {
	return &v1alpha1.OrderFlow{
		ObjectMeta: s.meta(name),
		Spec: v1alpha1.OrderFlowSpec{
			ClusterRef: v1alpha1.LocalObjectReference{Name: "mq"},
			Topic:      v1alpha1.TopicSpec{Name: topic, QueuesPerBroker: 4},
			Producer:   v1alpha1.ProducerSpec{Group: "order_producer_group"},
			Consumers:  []v1alpha1.FlowConsumer{{Name: "push", ConsumerTemplate: Consumer("push_consumer_group")}},
		},
	}
}

// Credential is a Secret that may be sent to the hosts.
func (s *Suite) Credential(name, hosts string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: s.meta(name), StringData: data}
	secret.Labels = map[string]string{v1alpha1.CredentialLabel: "true"}
	secret.Annotations = map[string]string{v1alpha1.AllowedHostsAnnotation: hosts}
	return secret
}

func (s *Suite) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name}
}
