// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

const (
	// teamGroups is the number of groups in a namespace.
	teamGroups = 100
	// brokerQueues of each topic at the one broker.
	brokerQueues = 4
)

// plan is what is created, and what comes of it.
type plan struct {
	namespaces []string
	// objects are created as users would, in this order.
	objects []client.Object
	// groups come of them, those of the flows included.
	groups int
}

// planOf has n groups in namespaces of a hundred, three fifths of them in flows.
func planOf(n int, nameServer string) plan {
	p := plan{groups: n}
	for i := 0; i*teamGroups < n; i++ {
		p.addTeam(fmt.Sprintf("team-%03d", i), min(teamGroups, n-i*teamGroups), nameServer)
	}
	return p
}

// ours are all objects of OrderFlow's kinds that are there in the end.
func (p plan) ours() int {
	flows := 0
	for _, o := range p.objects {
		if _, is := o.(*v1alpha1.OrderFlow); is {
			flows++
		}
	}
	return len(p.objects) + consumersOfFlow*flows
}

const consumersOfFlow = 3

// addTeam adds a namespace: a cluster, an adapter for ten groups, a flow of three consumers for five groups, and two groups on their own that listen to the topic of
// each flow.
func (p *plan) addTeam(namespace string, groups int, nameServer string) {
	p.namespaces = append(p.namespaces, namespace)
	p.objects = append(p.objects, &v1alpha1.MQCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mq"}, Spec: v1alpha1.MQClusterSpec{NameServers: []string{nameServer}},
	})
	adapters := max(groups/10, 1)
	for i := range adapters {
		p.objects = append(p.objects, adapter(namespace, fmt.Sprintf("third-party-%03d", i)))
	}
	next := 0
	consumer := func(name string) v1alpha1.ConsumerTemplate {
		next++
		return consumer(namespace+"_"+name, fmt.Sprintf("third-party-%03d", next%adapters), next%5 == 0)
	}
	for i := range groups / 5 {
		name := fmt.Sprintf("flow-%03d", i)
		p.objects = append(p.objects, flow(namespace, name, consumer))
	}
	flows := max(groups/5, 1)
	for i := range groups - groups/5*consumersOfFlow {
		name := fmt.Sprintf("alone-%03d", i)
		p.objects = append(p.objects, &v1alpha1.MQConsumerGroup{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha1.MQConsumerGroupSpec{
				ClusterRef: v1alpha1.LocalObjectReference{Name: "mq"}, Topic: topicOf(namespace, fmt.Sprintf("flow-%03d", i%flows)), ConsumerTemplate: consumer(name),
			},
		})
	}
}

func topicOf(namespace, flow string) string { return namespace + "_" + flow }

func adapter(namespace, name string) *v1alpha1.ThirdPartyAdapter {
	return &v1alpha1.ThirdPartyAdapter{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ThirdPartyAdapterSpec{
			URL:         "https://" + name + ".example.com",
			Idempotency: v1alpha1.IdempotencyContract{Keys: v1alpha1.KeyHonoured},
			RateLimit:   &v1alpha1.RateLimit{Requests: 1000, Period: metav1.Duration{Duration: time.Second}, Burst: 100},
			Concurrency: &v1alpha1.AdapterConcurrency{Max: 200},
		},
	}
}

func flow(namespace, name string, consumer func(string) v1alpha1.ConsumerTemplate) *v1alpha1.OrderFlow {
	f := &v1alpha1.OrderFlow{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OrderFlowSpec{
			ClusterRef: v1alpha1.LocalObjectReference{Name: "mq"},
			Topic:      v1alpha1.TopicSpec{Name: topicOf(namespace, name), QueuesPerBroker: brokerQueues},
			Producer:   v1alpha1.ProducerSpec{Group: namespace + "_" + name + "_producer"},
		},
	}
	for i := range consumersOfFlow {
		f.Spec.Consumers = append(f.Spec.Consumers, v1alpha1.FlowConsumer{
			Name: fmt.Sprintf("c%d", i), ConsumerTemplate: consumer(fmt.Sprintf("%s-c%d", name, i)),
		})
	}
	return f
}

// consumer has one pod, or one to four.
func consumer(group, adapter string, scales bool) v1alpha1.ConsumerTemplate {
	c := v1alpha1.ConsumerTemplate{
		Group: group,
		Handler: v1alpha1.Handler{Type: v1alpha1.HandlerPush, Push: &v1alpha1.PushHandler{
			AdapterRef: v1alpha1.LocalObjectReference{Name: adapter}, TemplateID: "order_paid", ToExpression: "order.phone",
		}},
	}
	if scales {
		c.Scaling = &v1alpha1.Scaling{MinReplicas: new(int32(1)), MaxReplicas: brokerQueues}
	}
	return c
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
