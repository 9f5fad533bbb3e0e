// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// testPrune deletes an MQCluster, and a flow and a group that take what they made on the brokers with them, in every order, with an adapter and its Secret
// before or after them. None waits for what is gone. It is what the namespace's deletion does, too.
func testPrune(t *testing.T, o *running) {
	mq := fake.Start(t, fake.Config{})
	doomed := map[string][]client.Object{}
	for i, order := range slices.Concat(permutations([]string{"cluster", "flow", "group"}), permutations([]string{"cluster", "flow", "group"})) {
		if order = append([]string{"secret", "adapter"}, order...); i < 6 {
			order = append(order[2:], "adapter", "secret")
		}
		objects := pipeline(o.namespace(t), mq.NameServer())
		sentence := strings.Join(order, ", ")
		for _, name := range order {
			doomed[sentence] = append(doomed[sentence], objects[name])
		}
		for _, name := range []string{"secret", "cluster", "adapter", "flow", "group"} {
			if err := o.Create(t.Context(), objects[name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for sentence, objects := range doomed {
		within(t, sentence+": flow and group have made what is theirs on the broker", func() bool {
			return !slices.ContainsFunc(objects, func(object client.Object) bool { return !made(t, o, object) })
		})
	}
	for sentence, objects := range doomed {
		for _, object := range objects {
			if err := o.Delete(t.Context(), object); err != nil {
				t.Fatalf("%s: delete %s: %v", sentence, object.GetName(), err)
			}
		}
	}
	for sentence, objects := range doomed {
		for _, object := range objects {
			within(t, fmt.Sprintf("deleted in the order %s, %T is gone", sentence, object), func() bool {
				return apierrors.IsNotFound(o.Get(t.Context(), client.ObjectKeyFromObject(object), object))
			})
		}
	}
}

// made says whether an object has done what its finalizer is for.
func made(t *testing.T, o *running, object client.Object) bool {
	if err := o.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	switch object := object.(type) {
	case *v1alpha1.OrderFlow:
		return meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionTopicReady)
	case *v1alpha1.MQConsumerGroup:
		return meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionBrokerReady)
	}
	return true
}

// pipeline is one of each kind, in a namespace.
func pipeline(namespace, nameServer string) map[string]client.Object {
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	to := func(name string) v1alpha1.LocalObjectReference { return v1alpha1.LocalObjectReference{Name: name} }
	secret := &corev1.Secret{ObjectMeta: at("sms-account"), StringData: map[string]string{"token": "t"}}
	secret.Labels = map[string]string{v1alpha1.CredentialLabel: "true"}
	secret.Annotations = map[string]string{v1alpha1.AllowedHostsAnnotation: "sms.example.com"}
	return map[string]client.Object{
		"secret":  secret,
		"cluster": &v1alpha1.MQCluster{ObjectMeta: at("mq"), Spec: v1alpha1.MQClusterSpec{NameServers: []string{nameServer}}},
		"adapter": &v1alpha1.ThirdPartyAdapter{ObjectMeta: at("sms"), Spec: v1alpha1.ThirdPartyAdapterSpec{
			URL: "https://sms.example.com", Idempotency: v1alpha1.IdempotencyContract{Keys: v1alpha1.KeyHonoured},
			Auth: &v1alpha1.Auth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{SecretRef: to("sms-account")}},
		}},
		"flow": &v1alpha1.OrderFlow{ObjectMeta: at("orders"), Spec: v1alpha1.OrderFlowSpec{
			ClusterRef: to("mq"), Topic: v1alpha1.TopicSpec{Name: "Orders-" + namespace, DeletionPolicy: v1alpha1.DeletionDelete}, Producer: v1alpha1.ProducerSpec{Group: "shop"},
		}},
		"group": &v1alpha1.MQConsumerGroup{ObjectMeta: at("push"), Spec: v1alpha1.MQConsumerGroupSpec{
			ClusterRef: to("mq"), Topic: "Orders-" + namespace,
			ConsumerTemplate: v1alpha1.ConsumerTemplate{
				Group: "push-" + namespace, Replicas: new(int32(0)), DeletionPolicy: v1alpha1.DeletionDelete,
				Handler: v1alpha1.Handler{Type: v1alpha1.HandlerPush, Push: &v1alpha1.PushHandler{AdapterRef: to("sms"), TemplateID: "paid", ToExpression: "order.phone"}},
			},
		}},
	}
}

// permutations are all orders of the names.
func permutations(names []string) [][]string {
	if len(names) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for i, first := range names {
		rest := slices.Delete(slices.Clone(names), i, i+1)
		for _, order := range permutations(rest) {
			all = append(all, append([]string{first}, order...))
		}
	}
	return all
}
