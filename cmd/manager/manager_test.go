// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/port"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// TestWhatIsInstalledIsEnough runs the operator as the service account of config/default, on an API server that asks RBAC, through the life
// of the sample flow. A verb that the role lacks shows as a step that does not come, and as a refusal in the log; one that it has and the operator
// does not use, in what was called.
func TestWhatIsInstalledIsEnough(t *testing.T) {
	i := installation.Start(t, "default")
	used := &verbs{}
	address := port.Free(t)
	awaitRights(t, i, "")
	stop := start(t, used.of(i.User(t, installation.Operator)), func(o *options) { o.metricsAddress = address })
	defer stop()

	i.Namespace(t, "shop")
	mq := fake.Start(t, fake.Config{})
	create(t, i, mq, "order-paid", nil)
	create(t, i, mq, "replay", nil)
	live(t, i.Admin)
	wantMetricsGuarded(t, i, address)
	stop()
	wantNothingForbidden(t)
	used.wantAll(t, i)
}

// TestSomeNamespacesAreEnough runs the operator with the Roles of config/namespaced, and no right on the cluster or in another namespace.
func TestSomeNamespacesAreEnough(t *testing.T) {
	if !apart(t) {
		return
	}
	i := installation.Start(t, "cluster", "namespaced/operator")
	for _, namespace := range []string{"shop", "elsewhere"} {
		i.Namespace(t, namespace)
	}
	for _, object := range installation.Manifests(t, "namespaced/watched") {
		object.SetNamespace("shop")
		i.Create(t, object)
	}
	mq := fake.Start(t, fake.Config{})
	foreign := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "mq"}, Spec: v1alpha1.MQClusterSpec{NameServers: []string{mq.NameServer()}}}
	i.Create(t, foreign)

	awaitRights(t, i, "shop")
	stop := start(t, i.User(t, installation.Operator), func(o *options) { o.watch, o.metricsAddress = list{"shop"}, "0" })
	defer stop()
	create(t, i, mq, "order-paid", nil)
	create(t, i, mq, "replay", nil)
	live(t, i.Admin)
	stop()
	wantNothingForbidden(t)
	if err := i.Admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil || len(foreign.Status.Conditions) > 0 || len(foreign.ManagedFields) > 1 {
		t.Errorf("an object of another namespace was touched: %v %+v", err, foreign)
	}
}

// awaitRights waits until the API server has the operator's bindings: with its lease, on its objects in the namespace or all of them, and then with its metrics.
func awaitRights(t *testing.T, i *installation.Installation, namespace string) {
	t.Helper()
	rights := []authorizationv1.ResourceAttributes{
		{Namespace: "orderflow-system", Group: "coordination.k8s.io", Resource: "leases", Verb: "create"},
		{Namespace: namespace, Group: "orderflow.dev", Resource: "orderflows", Verb: "list"},
	}
	if namespace == "" {
		rights = append(rights, authorizationv1.ResourceAttributes{Group: "authentication.k8s.io", Resource: "tokenreviews", Verb: "create"})
	}
	for _, right := range rights {
		i.AwaitMay(t, authorizationv1.SubjectAccessReviewSpec{User: installation.Operator, ResourceAttributes: &right})
	}
}

// live waits until the sample lives, and then lets it die.
func live(t *testing.T, admin client.Client) {
	t.Helper()
	replay := &v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "push-again"}}
	within(t, "the replay says what it waits for: no pod tells that the third party works", func() bool {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(replay), replay)
		c := meta.FindStatusCondition(replay.Status.Conditions, v1alpha1.ConditionReady)
		return err == nil && c != nil && c.Reason == v1alpha1.ReasonReplayPaused
	})

	flow := &v1alpha1.OrderFlow{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-paid"}}
	within(t, "the topic is ready and every consumer has its pods' Deployment", func() bool {
		deployments := &appsv1.DeploymentList{}
		if err := admin.List(t.Context(), deployments, client.InNamespace("shop")); err != nil || len(deployments.Items) != 4 {
			return false
		}
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(flow), flow)
		return err == nil && meta.IsStatusConditionTrue(flow.Status.Conditions, v1alpha1.ConditionTopicReady)
	})
	adapters := &v1alpha1.ThirdPartyAdapterList{}
	if err := admin.List(t.Context(), adapters, client.InNamespace("shop")); err != nil {
		t.Fatal(err)
	}
	for _, adapter := range adapters.Items {
		if c := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != metav1.ConditionTrue {
			t.Errorf("adapter %s is not Ready: %+v", adapter.Name, c)
		}
	}

	if n, err := testutil.GatherAndCount(metrics.Registry, "orderflow_condition_state"); n < len(adapters.Items) || err != nil {
		t.Errorf("%d conditions are metrics: %v", n, err)
	}

	before := client.MergeFrom(flow.DeepCopy())
	flow.Spec.Consumers = flow.Spec.Consumers[:3]
	flow.Spec.Producer.BindingSecretName = "renamed"
	if err := admin.Patch(t.Context(), flow, before); err != nil {
		t.Fatal(err)
	}
	within(t, "the consumer that is no longer declared is gone, and so is the binding of the earlier name", func() bool {
		key := client.ObjectKey{Namespace: "shop", Name: "order-paid-marketing"}
		group, binding := &v1alpha1.MQConsumerGroup{}, &corev1.Secret{}
		return apierrors.IsNotFound(admin.Get(t.Context(), key, group)) &&
			apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "order-paid-producer"}, binding)) &&
			admin.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "renamed"}, binding) == nil
	})

	if err := admin.Delete(t.Context(), flow); err != nil {
		t.Fatal(err)
	}
	within(t, "the flow is gone with its topic", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(flow), flow))
	})
}
