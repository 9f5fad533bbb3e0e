// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestGitOps runs the real kubectl, and what Argo CD, Flux and an HPA do, against a real API server while the operator is at work.
func TestGitOps(t *testing.T) {
	o := startOperator(t)
	t.Run("kubectl diff is empty once the operator has run, and to apply again changes nothing", func(t *testing.T) { testDiff(t, o) })
	t.Run("kubectl wait for Ready ends", func(t *testing.T) { testWait(t, o) })
	t.Run("what kubectl scale or an HPA sets stays", func(t *testing.T) { testScale(t, o) })
	t.Run("Argo CD and Flux apply again without a conflict", func(t *testing.T) { testApplyAgain(t, o) })
	t.Run("objects are deleted in any order", func(t *testing.T) { testPrune(t, o) })
}

// kubectl runs it in a namespace, and returns what it says.
func (o *running) kubectl(t *testing.T, namespace string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), append([]string{"--kubeconfig", o.kubeconfig, "-n", namespace}, args...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	return said.String(), err
}

func (o *running) must(t *testing.T, namespace string, args ...string) string {
	t.Helper()
	said, err := o.kubectl(t, namespace, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

// samples are config/samples/order-paid with a RocketMQ of the test's own, changed by pairs of old and new text.
func samples(t *testing.T, change ...string) string {
	t.Helper()
	folder := t.TempDir()
	mq := fake.Start(t, fake.Config{})
	replacer := strings.NewReplacer(append(change, "rocketmq-namesrv.rocketmq.svc.cluster.local:9876", mq.NameServer())...)
	files, err := filepath.Glob(filepath.Join(dir, "..", "samples", "order-paid", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(replacer.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// settled waits until the operator has made the flow's topic and groups.
func (o *running) settled(t *testing.T, namespace string) {
	t.Helper()
	flow := &v1alpha1.OrderFlow{}
	within(t, "the flow's topic is ready, and its binding is there", func() bool {
		err := o.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "order-paid"}, flow)
		return err == nil && meta.IsStatusConditionTrue(flow.Status.Conditions, v1alpha1.ConditionTopicReady) && flow.Status.Binding != nil &&
			flow.Status.ObservedGeneration == flow.Generation
	})
}

// generations are those of all our objects in a namespace.
func (o *running) generations(t *testing.T, namespace string) string {
	t.Helper()
	return o.must(t, namespace, "get", "mqclusters,orderflows,mqconsumergroups,thirdpartyadapters", "-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{"\n"}{end}`)
}

func testDiff(t *testing.T, o *running) {
	for sentence, apply := range map[string][]string{"client-side": {"apply", "-k"}, "server-side": {"apply", "--server-side", "-k"}} {
		t.Run(sentence, func(t *testing.T) {
			namespace, folder := o.namespace(t), samples(t)
			o.must(t, namespace, append(apply, folder)...)
			o.settled(t, namespace)
			diff := append([]string{"diff"}, apply[1:]...)
			within(t, "kubectl diff says nothing", func() bool { // between its two reads the operator may write a status
				said, err := o.kubectl(t, namespace, append(diff, folder)...)
				return err == nil && said == ""
			})
			before := o.generations(t, namespace)
			said := o.must(t, namespace, append(apply, folder)...)
			if after := o.generations(t, namespace); after != before {
				t.Errorf("kubectl says\n%s\nand the generations are\n%s\nafter\n%s", said, after, before)
			}
		})
	}
}

func testWait(t *testing.T, o *running) {
	namespace := o.namespace(t)
	folder := samples(t, "    replicas: 2 ", "    replicas: 0 ", "minReplicas: 1", "minReplicas: 0")
	o.must(t, namespace, "apply", "-k", folder)
	o.must(t, namespace, "wait", "--for=condition=Ready", "--timeout=120s", "mqclusters,thirdpartyadapters", "--all")
	o.settled(t, namespace)
	for _, consumer := range []string{"warehouse", "credit"} { // those that say nothing of replicas
		o.must(t, namespace, "scale", "mqcg/order-paid-"+consumer, "--replicas=0")
	}
	o.roll(t, namespace)
	o.must(t, namespace, "wait", "--for=condition=Ready", "--timeout=180s", "orderflow/order-paid")
	if said, err := o.kubectl(t, namespace, "wait", "--for=condition=Stalled", "--timeout=1s", "orderflow/order-paid"); err == nil {
		t.Errorf("a flow that is Ready is stalled: %s", said)
	}
}

// roll plays the Deployment controller, once the four groups want no pod.
func (o *running) roll(t *testing.T, namespace string) {
	t.Helper()
	deployments := &appsv1.DeploymentList{}
	within(t, "no Deployment wants a pod", func() bool {
		if err := o.List(t.Context(), deployments, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		return len(deployments.Items) == 4 && !slices.ContainsFunc(deployments.Items, func(d appsv1.Deployment) bool { return *d.Spec.Replicas > 0 })
	})
	for i := range deployments.Items {
		d := &deployments.Items[i]
		before := d.DeepCopy()
		d.Status.ObservedGeneration = d.Generation
		if err := o.Status().Patch(t.Context(), d, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
}

func testScale(t *testing.T, o *running) {
	namespace, folder := o.namespace(t), samples(t)
	o.must(t, namespace, "apply", "-k", folder)
	o.settled(t, namespace)
	o.must(t, namespace, "scale", "mqcg/order-paid-credit", "--replicas=3")
	warehouse := &v1alpha1.MQConsumerGroup{}
	warehouse.Namespace, warehouse.Name = namespace, "order-paid-warehouse"
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 5}}
	if err := o.SubResource("scale").Update(t.Context(), warehouse, client.WithSubResourceBody(scale), client.FieldOwner("horizontal-pod-autoscaler")); err != nil {
		t.Fatal(err)
	}
	// The flow is edited, so that the operator writes its groups anew.
	o.must(t, namespace, "patch", "orderflow", "order-paid", "--type=json", `-p=[{"op": "replace", "path": "/spec/consumers/2/concurrency/perPod", "value": 7}]`)
	o.settled(t, namespace)
	within(t, "the edited consumer is in its group", func() bool {
		return o.must(t, namespace, "get", "mqcg", "order-paid-credit", "-o", "jsonpath={.spec.concurrency.perPod}") == "7"
	})
	for group, want := range map[string]string{"credit": "3", "warehouse": "5"} {
		for _, field := range []string{"mqcg/order-paid-" + group + " -o jsonpath={.spec.replicas}", "deployment/order-paid-" + group + " -o jsonpath={.spec.replicas}"} {
			within(t, fmt.Sprintf("%s is %s", field, want), func() bool {
				said, err := o.kubectl(t, namespace, append([]string{"get"}, strings.Fields(field)...)...)
				return err == nil && said == want
			})
		}
	}
	// What is in Git says nothing of these replicas, so there is nothing to revert but the edit.
	o.must(t, namespace, "apply", "-k", folder)
	o.settled(t, namespace)
	if got := o.must(t, namespace, "get", "mqcg", "order-paid-credit", "-o", "jsonpath={.spec.replicas}"); got != "3" {
		t.Errorf("after kubectl apply there are %s replicas, want those that were set", got)
	}
}

func testApplyAgain(t *testing.T, o *running) {
	for _, manager := range []string{"argocd-controller", "kustomize-controller"} {
		t.Run(manager, func(t *testing.T) {
			// With deletionPolicy Delete the operator writes into the object too: its finalizer.
			namespace, folder := o.namespace(t), samples(t, "deletionPolicy: Retain ", "deletionPolicy: Delete ")
			args := []string{"apply", "--server-side", "--field-manager=" + manager, "-k", folder}
			o.must(t, namespace, args...)
			o.settled(t, namespace)
			before := o.generations(t, namespace)
			o.must(t, namespace, args...) // a field that the operator owned would be a conflict
			if after := o.generations(t, namespace); after != before {
				t.Errorf("to apply again changed\n%s\nto\n%s", before, after)
			}
			flow := &unstructured.Unstructured{}
			flow.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("OrderFlow"))
			if err := o.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "order-paid"}, flow); err != nil {
				t.Fatal(err)
			}
			if len(flow.GetFinalizers()) != 1 {
				t.Errorf("the finalizers are %v, want the operator's", flow.GetFinalizers())
			}
			for _, entry := range flow.GetManagedFields() {
				if fields := entry.FieldsV1.GetRawString(); entry.Manager != manager && strings.Contains(fields, `"f:spec"`) {
					t.Errorf("%s has written fields of the spec: %s", entry.Manager, fields)
				}
			}
		})
	}
}
