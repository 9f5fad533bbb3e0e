// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// secrets are what a Secret of an adapter holds, by the way it is used; each value is a canary. The last three cannot be used.
const secrets = `
basic:      {username: canary-username, password: canary-password}
bearer:     {token: canary-token}
apiKey:     {api-key: canary-api-key}
hmac:       {key-id: canary-key-id, secret: canary-secret, previous-key-id: canary-previous-id, previous-secret: canary-previous-secret}
oauth2:     {client-id: canary-client-id, client-secret: canary-client-secret}
mtls:       {tls.crt: canary-certificate, tls.key: canary-private-key}
ca:         {ca.crt: canary-authority}
unlabelled: {token: canary-unlabelled}
elsewhere:  {token: canary-elsewhere}
keyless:    {other: canary-other}
`

// unions are the values of auth.type.
var unions = map[string]string{"basic": "Basic", "bearer": "Bearer", "apiKey": "APIKey", "hmac": "HMAC", "oauth2": "OAuth2", "mtls": "MTLS"}

// TestNothingSecretComesOutOfTheOperator has every Secret filled with canaries, right and wrong ones, and dead letters of orders with more of them. It
// makes the broker say what it knows of them, and looks for them in all that the operator writes, but for Secrets.
func TestNothingSecretComesOutOfTheOperator(t *testing.T) {
	if !apart(t) {
		return
	}
	i := installation.Start(t, "default")
	i.Namespace(t, "shop")
	key := rocketmq.Credentials{AccessKey: "canary-access-key", SecretKey: "canary-secret-key", SecurityToken: "canary-security-token"}
	mq := fake.Start(t, fake.Config{Credentials: key})
	stop := start(t, i.User(t, installation.Operator), nil)
	defer stop()

	i.Create(t,
		credential("acl", map[string]string{"access-key": key.AccessKey, "secret-key": key.SecretKey, "security-token": key.SecurityToken}),
		credential("wrong", map[string]string{"access-key": key.AccessKey, "secret-key": "canary-wrong-key"}))
	wrong := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "wrong"}, Spec: v1alpha1.MQClusterSpec{
		NameServers: []string{mq.NameServer()}, ACL: &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "wrong"}},
	}}
	mq.Inject(fake.Fault{Host: "broker-a", Times: 1, Code: rocketmq.CodeNoPermission, Remark: "User:canary-access-key, canary-wrong-key, is not found"})
	i.Create(t, wrong)
	within(t, "a broker's refusal is told without the key it names", func() bool {
		return says(t, i, wrong, &wrong.Status.Conditions, v1alpha1.ReasonPermissionDenied, "User:<access key>")
	})
	create(t, i, mq, "order-paid", func(o *unstructured.Unstructured) {
		switch o.GetKind() {
		case "Secret":
			set(t, o, map[string]any{"token": "canary-sample-token"}, "stringData")
		case "MQCluster":
			set(t, o, map[string]any{"secretRef": map[string]any{"name": "acl"}}, "spec", "acl")
		}
	})
	adapters := createAdapters(t, i)
	for name, reason := range map[string]string{
		"basic": v1alpha1.ReasonReady, "oauth2": v1alpha1.ReasonReady, "unlabelled": v1alpha1.ReasonSecretNotAllowed,
		"elsewhere": v1alpha1.ReasonSecretNotAllowed, "keyless": v1alpha1.ReasonSecretKeyMissing,
	} {
		adapter := adapters[name]
		within(t, "adapter "+name+" is "+reason, func() bool { return says(t, i, adapter, &adapter.Status.Conditions, reason, "") })
	}

	flow := &v1alpha1.OrderFlow{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-paid"}}
	group := &v1alpha1.MQConsumerGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-paid-push"}}
	within(t, "the flow has its topic and its groups", func() bool {
		return i.Admin.Get(t.Context(), client.ObjectKeyFromObject(flow), flow) == nil && meta.IsStatusConditionTrue(flow.Status.Conditions, v1alpha1.ConditionTopicReady) &&
			i.Admin.Get(t.Context(), client.ObjectKeyFromObject(group), group) == nil && meta.IsStatusConditionTrue(group.Status.Conditions, v1alpha1.ConditionBrokerReady)
	})
	bury(t, mq, key)
	dry := &v1alpha1.DeadLetterReplay{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "dry"}, Spec: v1alpha1.DeadLetterReplaySpec{
		GroupRef: v1alpha1.LocalObjectReference{Name: group.Name}, Mode: v1alpha1.ReplayModeDryRun,
		Filter: &v1alpha1.ReplayFilter{WhenExpression: "order.amount > 100"},
	}}
	i.Create(t, dry)
	within(t, "the dead letters are looked at", func() bool {
		err := i.Admin.Get(t.Context(), client.ObjectKeyFromObject(dry), dry)
		return err == nil && dry.Status.CompletionTime != nil
	})
	stop()
	for where, text := range written(t, i) {
		if text == "" {
			t.Errorf("%s is empty: nothing would be found there", where)
		}
		for line := range strings.Lines(text) {
			if at := strings.Index(strings.ToLower(line), "canary"); at >= 0 {
				t.Errorf("%s has %.60q in\n%.600s", where, line[at:], line)
			}
		}
	}
}

// createAdapters makes one for each Secret.
func createAdapters(t *testing.T, i *installation.Installation) map[string]*v1alpha1.ThirdPartyAdapter {
	t.Helper()
	var data map[string]map[string]string
	if err := yaml.Unmarshal([]byte(secrets), &data); err != nil {
		t.Fatal(err)
	}
	adapters := map[string]*v1alpha1.ThirdPartyAdapter{}
	for name, values := range data {
		secret := credential("of-"+strings.ToLower(name), values)
		switch name {
		case "unlabelled":
			secret.Labels = nil
		case "elsewhere":
			secret.Annotations[v1alpha1.AllowedHostsAnnotation] = "elsewhere.example.com"
		}
		i.Create(t, secret)
		ref := map[string]any{"secretRef": map[string]any{"name": secret.Name}}
		spec := map[string]any{"url": "https://party.example.com", "idempotency": map[string]any{"keys": "Honoured"}}
		way := name
		switch name {
		case "ca":
			spec["tls"] = map[string]any{"caSecretRef": ref["secretRef"]}
		case "unlabelled", "elsewhere", "keyless":
			way = "bearer"
			fallthrough
		default:
			if way == "oauth2" {
				ref["tokenURL"] = "https://party.example.com/token"
			}
			spec["auth"] = map[string]any{"type": unions[way], way: ref}
		}
		i.Create(t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "ThirdPartyAdapter",
			"metadata": map[string]any{"namespace": "shop", "name": strings.ToLower(name)}, "spec": spec,
		}})
		adapters[name] = &v1alpha1.ThirdPartyAdapter{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: strings.ToLower(name)}}
	}
	return adapters
}

// credential may be sent to everybody of this test.
func credential(name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{StringData: data, ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, Labels: map[string]string{v1alpha1.CredentialLabel: "true"},
		Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: "127.0.0.1, party.example.com"},
	}}
}

// bury stores dead letters: one that is selected, one that is not, one that cannot be judged and one that is no order.
func bury(t *testing.T, mq *fake.Cluster, key rocketmq.Credentials) {
	t.Helper()
	mqClient := rocketmq.NewClient(rocketmq.Config{Credentials: func() rocketmq.Credentials { return key }})
	defer mqClient.Close()
	const who = `"phone":"canary-phone","address":{"street":"canary-street"}`
	for n, body := range []string{`{"amount":200,` + who + `}`, `{"amount":1,` + who + `}`, `{"amount":"canary-amount",` + who + `}`, `canary-body`} {
		message := rocketmq.OutMessage{Body: []byte(body)}
		for name, value := range map[string]string{
			rocketmq.PropertyUniqueKey: fmt.Sprint("U", n), rocketmq.PropertyKeys: "canary-keys", rocketmq.PropertyTags: "OrderPaid", "user": "canary-property",
			rocketmq.PropertyRetryTopic: "TopicOrderPaySuccess", "ORDERFLOW_KIND": "dead", "ORDERFLOW_REASON": "RetriesExhausted", "ORDERFLOW_ATTEMPTS": "16",
		} {
			message.Properties = append(message.Properties, rocketmq.Field{Name: name, Value: value})
		}
		_, err := mqClient.Send(t.Context(), mq.Broker().Addr(), rocketmq.SendRequest{
			Group: "test", Queue: rocketmq.Queue{Topic: rocketmq.DeadLetterTopic("push_consumer_group"), Broker: mq.Broker().Name()}, Messages: []rocketmq.OutMessage{message},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// says reports whether the object's Ready has the reason, and its message the text.
func says(t *testing.T, i *installation.Installation, object client.Object, conditions *[]metav1.Condition, reason, text string) bool {
	t.Helper()
	if err := i.Admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	c := meta.FindStatusCondition(*conditions, v1alpha1.ConditionReady)
	return c != nil && c.Reason == reason && strings.Contains(c.Message, text)
}

// written is all that the operator wrote, by where.
func written(t *testing.T, i *installation.Installation) map[string]string {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{"the log": logs.String()}
	exposed := &strings.Builder{}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(exposed, family); err != nil {
			t.Fatal(err)
		}
	}
	text["the metrics"] = exposed.String()
	for where, list := range map[string]client.ObjectList{
		"events": &eventsv1.EventList{}, "MQClusters": &v1alpha1.MQClusterList{}, "OrderFlows": &v1alpha1.OrderFlowList{}, "MQConsumerGroups": &v1alpha1.MQConsumerGroupList{},
		"ThirdPartyAdapters": &v1alpha1.ThirdPartyAdapterList{}, "DeadLetterReplays": &v1alpha1.DeadLetterReplayList{}, "ConfigMaps": &corev1.ConfigMapList{},
		"Deployments": &appsv1.DeploymentList{}, "Services": &corev1.ServiceList{}, "NetworkPolicies": &networkingv1.NetworkPolicyList{},
	} {
		if err := i.Admin.List(t.Context(), list, client.InNamespace("shop")); err != nil {
			t.Fatal(err)
		}
		if meta.LenList(list) == 0 {
			continue
		}
		lines, err := yaml.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		text[where] = string(lines)
	}
	for _, where := range []string{"events", "ConfigMaps", "Deployments", "DeadLetterReplays"} {
		text[where] += "" // is looked for, and missed
	}
	return text
}
