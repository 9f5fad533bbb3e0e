// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"text/template"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/runtime/producer"
)

// apply renders a manifest of testdata and applies it in the scene's namespace.
func apply(t *testing.T, file string, values any) {
	t.Helper()
	applyIn(t, stage.Namespace, file, values)
}

func applyIn(t *testing.T, namespace, file string, values any) {
	t.Helper()
	text, err := template.ParseFiles("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var manifest bytes.Buffer
	if err := text.Execute(&manifest, values); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/" + file
	if err := os.WriteFile(path, manifest.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Kubectl(t.Context(), "-n", namespace, "apply", "--server-side", "-f", path); err != nil {
		t.Fatal(err)
	}
}

// remove deletes a flow with its group on the broker; the topic stays.
func remove(t *testing.T, flow string) {
	t.Helper()
	if _, err := stage.Kubectl(context.WithoutCancel(t.Context()), "-n", stage.Namespace, "delete", "orderflow", flow, "--timeout=60s"); err != nil {
		t.Error(err)
	}
}

// send sends orders with the given ids to a topic, from this machine.
func send(t *testing.T, topic string, ids ...string) {
	t.Helper()
	p, err := producer.New(producer.Config{Binding: producer.Binding{
		NameServers: stage.Env.NameServers, Topic: topic, Group: "e2e_producer", Mode: producer.Sync, SendTimeout: 30 * time.Second,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		message, err := producer.OrderEvent{
			EventType: producer.OrderPaid, ID: id, MemberID: "m", Phone: "+15550100", Amount: 100, Currency: "CNY", PaidAt: time.Now(),
			Items: []producer.Item{{SKU: "sku-001", Quantity: 1}},
		}.Message()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(t.Context(), message); err != nil {
			t.Fatalf("sending order %s: %v", id, err)
		}
	}
}

// accepted are the calls the stub accepted for the given orders.
func accepted(ctx context.Context, t *testing.T, ids ...string) map[string]int {
	t.Helper()
	calls, err := stage.Stub.Calls(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wanted, count := map[string]bool{}, map[string]int{}
	for _, id := range ids {
		wanted[id] = true
	}
	for _, call := range calls {
		if call.Accepted && wanted[call.OrderID] {
			count[call.OrderID]++
		}
	}
	return count
}

func flowReady(t *testing.T, flow string) {
	t.Helper()
	if _, err := stage.Kubectl(t.Context(), "-n", stage.Namespace, "wait", "--for=condition=Ready", "orderflow/"+flow, "--timeout=90s"); err != nil {
		t.Fatalf("%v\n%s", err, stage.Describe(t.Context()))
	}
}

func TestTheFirstMessageWakesAGroupAtZero(t *testing.T) {
	run := fmt.Sprint(time.Now().Unix())
	apply(t, "zero.yaml", map[string]string{"Run": run})
	defer remove(t, "zero")
	flowReady(t, "zero")
	if pods := group(t.Context(), t, "zero-push").Status.Replicas; pods != 0 {
		t.Fatalf("%d pods before the first message, want 0", pods)
	}
	send(t, "TopicZero"+run, "zero-"+run)
	within(t, time.Minute, "the message that woke the group is handled", func(ctx context.Context) (bool, error) {
		return accepted(ctx, t, "zero-"+run)["zero-"+run] == 1, nil
	})
}

func TestLatestHandlesNothingOfAYoungTopicsPast(t *testing.T) {
	run := fmt.Sprint(time.Now().Unix())
	values := map[string]any{"Run": run, "Consumers": false}
	apply(t, "latest.yaml", values)
	defer remove(t, "latest")
	flowReady(t, "latest")
	old := make([]string, 1000)
	for i := range old {
		old[i] = fmt.Sprintf("old-%s-%d", run, i)
	}
	send(t, "TopicLatest"+run, old...)
	values["Consumers"] = true
	apply(t, "latest.yaml", values)
	within(t, 90*time.Second, "the group is ready", func(ctx context.Context) (bool, error) {
		var g v1alpha1.MQConsumerGroup
		err := stage.Client.Get(ctx, client.ObjectKey{Namespace: stage.Namespace, Name: "latest-push"}, &g)
		return err == nil && apimeta.IsStatusConditionTrue(g.Status.Conditions, v1alpha1.ConditionReady), client.IgnoreNotFound(err)
	})
	send(t, "TopicLatest"+run, "new-"+run)
	within(t, time.Minute, "the new message is handled", func(ctx context.Context) (bool, error) {
		return accepted(ctx, t, "new-"+run)["new-"+run] == 1, nil
	})
	if handled := accepted(t.Context(), t, old...); len(handled) != 0 {
		t.Errorf("%d of 1,000 old messages were handled, want 0", len(handled))
	}
}
