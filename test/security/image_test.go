// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

func testImages(t *testing.T, i *installation.Installation) {
	shop := i.Namespace(t, "images")
	anna := i.Client(t, "anna-of-images", shop, writeAll)
	runs := i.Client(t, "ops", shop, writeAll, rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"create"}})
	operator, err := client.New(i.User(t, installation.Operator), client.Options{Scheme: i.Admin.Scheme(), Mapper: i.Admin.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	pull := map[string]any{"imagePullSecrets": []any{name("registry")}}
	for sentence, c := range map[string]struct {
		object *unstructured.Unstructured
		said   string
	}{
		"a group with an image":                {group(shop, imageOf("evil")), "workload.image"},
		"a group with a Secret to pull by":     {group(shop, pull), "workload.imagePullSecrets"},
		"a consumer of a flow with an image":   {flow(shop, map[string]map[string]any{"push": nil, "other": imageOf("evil")}), "of consumer other"},
		"a consumer with a Secret to pull by":  {flow(shop, map[string]map[string]any{"push": pull}), "of consumer push"},
		"two consumers, one of them as before": {flow(shop, map[string]map[string]any{"push": imageOf("good"), "other": imageOf("evil")}), "of consumer"},
	} {
		err := anna.Create(t.Context(), c.object.DeepCopy(), client.DryRunAll)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), c.said) || !strings.Contains(err.Error(), "may create Deployments in namespace "+shop) {
			t.Errorf("%s: got %v, want it forbidden, and %q said", sentence, err, c.said)
		}
		for who, allowed := range map[string]client.Client{"who may create Deployments": runs, "the operator": operator} {
			writes := who != "the operator" || c.object.GetKind() == "MQConsumerGroup" // flows are not the operator's to create
			if err := allowed.Create(t.Context(), c.object.DeepCopy(), client.DryRunAll); writes && err != nil {
				t.Errorf("%s by %s: %v", sentence, who, err)
			}
		}
	}
	for sentence, o := range map[string]*unstructured.Unstructured{
		"a group that names none": group(shop, nil), "a flow that names none": flow(shop, map[string]map[string]any{"push": nil}),
	} {
		if err := anna.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}

	there := flow(shop, map[string]map[string]any{"push": imageOf("good")})
	i.Create(t, there)
	there.SetLabels(map[string]string{"team": "orders"})
	if err := anna.Update(t.Context(), there); err != nil {
		t.Errorf("what has an image already cannot be changed otherwise: %v", err)
	}
	other := flow(shop, map[string]map[string]any{"push": imageOf("good"), "other": imageOf("good")})
	there.Object["spec"] = other.Object["spec"]
	if err := anna.Update(t.Context(), there); !apierrors.IsForbidden(err) {
		t.Errorf("the image of another consumer: %v, want it forbidden", err)
	}
}

func imageOf(name string) map[string]any {
	return map[string]any{"image": "example.com/" + name + ":1"}
}

func consumer(name string, workload map[string]any) map[string]any {
	c := map[string]any{"group": name + "_group", "handler": map[string]any{
		"type": "Push", "push": map[string]any{"adapterRef": map[string]any{"name": "sms"}, "templateId": "order_paid", "toExpression": "order.phone"},
	}}
	if workload != nil {
		c["workload"] = workload
	}
	return c
}

func group(namespace string, workload map[string]any) *unstructured.Unstructured {
	spec := consumer("push", workload)
	spec["clusterRef"], spec["topic"] = name("mq"), "Orders"
	return object(namespace, "MQConsumerGroup", spec)
}

func flow(namespace string, consumers map[string]map[string]any) *unstructured.Unstructured {
	var list []any
	for name, workload := range consumers {
		c := consumer(name, workload)
		c["name"] = name
		list = append(list, c)
	}
	return object(namespace, "OrderFlow", map[string]any{
		"clusterRef": name("mq"), "topic": name("Orders"), "producer": map[string]any{"group": "order_producer_group"}, "consumers": list,
	})
}
