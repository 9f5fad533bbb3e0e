// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/request"
	"github.com/orderflow-dev/orderflow/test/scene"
)

// operator is the name of its Deployment.
const operator = "orderflow-manager"

// TestControlPlane does to operator and API server what happens to them in a cluster's life, while orders are paid. It is no part of `make e2e`: `make reliability`
// runs it.
func TestControlPlane(t *testing.T) {
	for _, disturbance := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"no API server for five minutes", fiveMinutesWithoutAnAPIServer},
		{"watches are cut", aWatchIsCut},
		{"the leader is killed", theLeaderIsKilled},
		{"two leaders race", twoLeadersRace},
		{"others write at the same time", othersWriteAtTheSameTime},
		{"the operator is upgraded", anOperatorIsUpgraded},
		{"the CRDs are upgraded", crdsAreUpgraded},
		{"a group is deleted in the middle of a rollout", aGroupIsDeletedMidRollout},
		{"a namespace is deleted", aNamespaceIsDeleted},
	} {
		t.Run(disturbance.name, disturbance.run)
	}
}

// operatorActs edits the limit of an adapter, and waits until every pod of its group runs with it: gathered, applied, told.
func operatorActs(t *testing.T, deadline time.Duration) {
	t.Helper()
	sms := &v1alpha1.ThirdPartyAdapter{}
	if err := stage.Client.Get(t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "sms"}, sms); err != nil {
		t.Fatal(err)
	}
	before := group(t.Context(), t, "order-paid-push").Status.LiveRevision
	edited := sms.DeepCopy()
	edited.Spec.Timeout.Duration += time.Millisecond
	if err := stage.Client.Patch(t.Context(), edited, client.MergeFrom(sms)); err != nil {
		t.Fatal(err)
	}
	within(t, deadline, "an edit of an adapter has come to its pods", func(ctx context.Context) (bool, error) {
		g := group(ctx, t, "order-paid-push")
		current := metav1.ConditionFalse
		for _, c := range g.Status.Conditions {
			if c.Type == v1alpha1.ConditionConfigCurrent {
				current = c.Status
			}
		}
		return g.Status.LiveRevision != before && current == metav1.ConditionTrue, nil
	})
}

// operatorAvailable waits until the operator's pods are as wanted.
func operatorAvailable(t *testing.T) {
	t.Helper()
	if _, err := stage.Kubectl(t.Context(), "-n", scene.OperatorNamespace, "rollout", "status", "deployment", "--timeout=60s"); err != nil {
		t.Fatalf("%v\n%s", err, stage.Describe(t.Context()))
	}
}

func fiveMinutesWithoutAnAPIServer(t *testing.T) {
	undisturbed(t, 7*time.Minute, func() {
		if err := stage.Env.StopAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(t.Context(), 5*time.Minute)
		if err := stage.Env.StartAPIServer(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		operatorActs(t, 2*time.Minute) // client-go looks for an API server that was away for long once a minute
	})
	operatorAvailable(t)
}

func aWatchIsCut(t *testing.T) {
	undisturbed(t, 40*time.Second, func() {
		if err := stage.Env.StopAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := stage.Env.StartAPIServer(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		operatorActs(t, 30*time.Second)
	})
}

func theLeaderIsKilled(t *testing.T) {
	operatorAvailable(t)
	undisturbed(t, 40*time.Second, func() {
		var lease coordinationv1.Lease
		if err := stage.Client.Get(t.Context(), client.ObjectKey{Namespace: scene.OperatorNamespace, Name: "manager.orderflow.dev"}, &lease); err != nil {
			t.Fatal(err)
		}
		leader, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: scene.OperatorNamespace, Name: leader}}
		if err := stage.Client.Delete(t.Context(), pod, kill); err != nil {
			t.Fatal(err)
		}
		operatorActs(t, 30*time.Second)
	})
	operatorAvailable(t)
}

// twoLeadersRace lets both operators act on everything at once, as one that was frozen while it led would beside its successor.
func twoLeadersRace(t *testing.T) {
	patch := func(op string) {
		if _, err := stage.Kubectl(t.Context(), "-n", scene.OperatorNamespace, "patch", "deployment", operator, "--type=json", "-p", op); err != nil {
			t.Fatal(err)
		}
		operatorAvailable(t)
	}
	patch(`[{"op":"add","path":"/spec/template/spec/containers/0/args/0","value":"-leader-election=false"}]`)
	defer patch(`[{"op":"remove","path":"/spec/template/spec/containers/0/args/0"}]`)
	undisturbed(t, 60*time.Second, func() {
		for range 5 {
			operatorActs(t, 30*time.Second)
		}
		settled := generations(t)
		pass(t.Context(), 10*time.Second)
		if now := generations(t); now != settled {
			t.Errorf("Deployments are written over and over: generations were %s and are %s", settled, now)
		}
	})
	flowReady(t, scene.Flow)
}

// generations are those of all Deployments of workers.
func generations(t *testing.T) string {
	t.Helper()
	var deployments appsv1.DeploymentList
	if err := stage.Client.List(t.Context(), &deployments, client.InNamespace(stage.Namespace), client.MatchingLabels{"app.kubernetes.io/managed-by": "orderflow"}); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range deployments.Items {
		list = append(list, fmt.Sprintf("%s:%d", d.Name, d.Generation))
	}
	return strings.Join(list, " ")
}

// othersWriteAtTheSameTime lets somebody annotate what the operator works on, so often that it is changed between being read and being written.
func othersWriteAtTheSameTime(t *testing.T) {
	refused := conflicts(t)
	undisturbed(t, 40*time.Second, func() {
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan int, 1) // nobody may be left to take it
		go func() { written <- annotate(ctx, t) }()
		for acts := 0; acts < 3 || acts < 12 && conflicts(t) == refused; acts++ { // a note between a read and a write is likely each time, and not certain
			operatorActs(t, 30*time.Second)
		}
		stop()
		n, refused := <-written, conflicts(t)-refused
		if t.Logf("%d notes, %d writes of the operator were refused", n, refused); refused == 0 {
			t.Errorf("of %d notes none came between a read and a write of the operator: nothing was tested", n)
		}
		if g := group(t.Context(), t, "order-paid-push"); g.Annotations[noteKey] == "" {
			t.Error("the operator removed somebody else's annotation")
		}
	})
	flowReady(t, scene.Flow)
}

// noteKey is of somebody else's annotation.
const noteKey = "example.com/note"

// annotate writes notes on an object of each kind, 25 a second on each, and returns how many when ctx ends.
func annotate(ctx context.Context, t *testing.T) (n int) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: stage.Namespace, Name: name} }
	ticker := time.NewTicker(40 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return n
		case <-ticker.C:
		}
		n++
		note := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, noteKey, n))
		for _, o := range []client.Object{
			&v1alpha1.MQCluster{ObjectMeta: named("orders-mq")}, &v1alpha1.OrderFlow{ObjectMeta: named(scene.Flow)},
			&v1alpha1.MQConsumerGroup{ObjectMeta: named("order-paid-push")}, &v1alpha1.ThirdPartyAdapter{ObjectMeta: named("sms")},
		} {
			if err := stage.Client.Patch(ctx, o, note); err != nil && ctx.Err() == nil {
				t.Errorf("write at the same time: %v", err)
				return n
			}
		}
	}
}

// conflicts is how many writes of OrderFlow's objects as they were before the API server has refused so far, by whomever.
func conflicts(t *testing.T) (n int) {
	t.Helper()
	text, err := stage.Kubectl(t.Context(), "get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	counts, err := request.Counts(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.Code == "409" && c.Group == v1alpha1.GroupVersion.Group {
			n += c.N
		}
	}
	return n
}

// anOperatorIsUpgraded replaces the operator by one of another release: with another image for workers.
func anOperatorIsUpgraded(t *testing.T) {
	undisturbed(t, 60*time.Second, func() {
		release := func(image string) {
			if _, err := stage.Kubectl(t.Context(), "-n", scene.OperatorNamespace, "set", "env", "deployment/"+operator, "WORKER_IMAGE="+image); err != nil {
				t.Fatal(err)
			}
			operatorAvailable(t)
			operatorActs(t, time.Minute)
		}
		release("ghcr.io/orderflow-dev/worker:next")
		release("ghcr.io/orderflow-dev/worker:dev")
	})
	flowReady(t, scene.Flow)
}

// crdsAreUpgraded applies the kinds as a later release has them, with a field that is new and a version beside, and takes that back.
func crdsAreUpgraded(t *testing.T) {
	undisturbed(t, 60*time.Second, func() {
		applyCRDs(t, func(crd *apiextensionsv1.CustomResourceDefinition) {
			first := &crd.Spec.Versions[0]
			first.Schema.OpenAPIV3Schema.Properties["spec"].Properties["ofALaterRelease"] = apiextensionsv1.JSONSchemaProps{
				Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"new"`)},
			}
			later := first.DeepCopy()
			later.Name, later.Storage = "v1beta1", false
			crd.Spec.Versions = append(crd.Spec.Versions, *later)
		})
		operatorActs(t, 30*time.Second)
		applyCRDs(t, func(*apiextensionsv1.CustomResourceDefinition) {})
		operatorActs(t, 30*time.Second)
	})
	flowReady(t, scene.Flow)
}

// applyCRDs applies the CRDs of config/crd, changed.
func applyCRDs(t *testing.T, change func(*apiextensionsv1.CustomResourceDefinition)) {
	t.Helper()
	paths, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("CRDs %v, error %v", paths, err)
	}
	dir := t.TempDir()
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(content, &crd); err != nil {
			t.Fatal(err)
		}
		change(&crd)
		if content, err = yaml.Marshal(&crd); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stage.Kubectl(t.Context(), "apply", "--server-side", "--force-conflicts", "-f", dir); err != nil {
		t.Fatal(err)
	}
}

// aGroupIsDeletedMidRollout deletes a flow while half of its pods have been replaced.
func aGroupIsDeletedMidRollout(t *testing.T) {
	run := fmt.Sprint(time.Now().Unix())
	undisturbed(t, 60*time.Second, func() {
		apply(t, "rollout.yaml", map[string]string{"Run": run, "Note": "first"})
		flowReady(t, "rollout")
		apply(t, "rollout.yaml", map[string]string{"Run": run, "Note": "second"})
		within(t, 30*time.Second, "the rollout is under way", func(ctx context.Context) (bool, error) {
			var d appsv1.Deployment
			err := stage.Client.Get(ctx, client.ObjectKey{Namespace: stage.Namespace, Name: "rollout-push"}, &d)
			return d.Status.UpdatedReplicas > 0 && d.Status.UpdatedReplicas < d.Status.Replicas+d.Status.UnavailableReplicas, err
		})
		remove(t, "rollout")
		within(t, time.Minute, "nothing of the group is left", func(ctx context.Context) (bool, error) {
			out, err := stage.Kubectl(ctx, "-n", stage.Namespace, "get", "deployments,replicasets,pods,configmaps,secrets,services,mqconsumergroups", "-o", "name")
			return !strings.Contains(out, "rollout-"), err
		})
	})
}

// aNamespaceIsDeleted deletes what a flow refers to and the flow at once, with a topic that waits to be deleted.
func aNamespaceIsDeleted(t *testing.T) {
	run := fmt.Sprint(time.Now().Unix())
	const name = "leaving"
	undisturbed(t, 60*time.Second, func() {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := stage.Client.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		applyIn(t, name, "leaving.yaml", map[string]string{"Run": run, "NameServer": stage.Env.NameServersInCluster[0]})
		if _, err := stage.Kubectl(t.Context(), "-n", name, "wait", "--for=condition=TopicReady", "orderflow/leaving", "--timeout=60s"); err != nil {
			t.Fatalf("%v\n%s", err, stage.Describe(t.Context()))
		}
		if err := stage.Client.Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		within(t, 2*time.Minute, "the namespace is gone", func(ctx context.Context) (bool, error) {
			err := stage.Client.Get(ctx, client.ObjectKey{Name: name}, namespace)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
	})
}
