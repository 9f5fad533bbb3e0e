// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// The names that the texts of what was made are of.
const (
	modelTeam  = "team-000"
	modelFlow  = "flow-000"
	modelGroup = "alone-000"
	modelOwner = "the-owner-s-uid"
	modelEdit  = "the-edit"
)

// model is what the operator made of one object of each kind, as texts in which the names are to be replaced.
type model struct {
	// children of a group, groups and binding of a flow.
	children, groups []string
	binding          string
	// edited is the Deployment of a group that was given other pods.
	edited string
	// status of each kind when it is Ready, and of those that say first whose a name is.
	cluster, adapter, flow, group string
	flowClaim, groupClaim         string
}

// modelOf reads what the operator has made of the first team's objects.
func modelOf(t *testing.T, s *server) model {
	t.Helper()
	m := model{}
	status := func(o client.Object, name string) string {
		must(t, s.admin.Get(t.Context(), client.ObjectKey{Namespace: modelTeam, Name: name}, o))
		fields, err := kruntime.DefaultUnstructuredConverter.ToUnstructured(o)
		must(t, err)
		text, err := json.Marshal(map[string]any{"status": fields["status"]})
		must(t, err)
		return string(text)
	}
	flow, group := &v1alpha1.OrderFlow{}, &v1alpha1.MQConsumerGroup{}
	m.cluster, m.adapter = status(&v1alpha1.MQCluster{}, "mq"), status(&v1alpha1.ThirdPartyAdapter{}, "third-party-000")
	m.flow, m.group = status(flow, modelFlow), status(group, modelGroup)
	m.flowClaim = fmt.Sprintf(`{"status":{"topic":{"clusterIdentity":%q}}}`, flow.Status.Topic.ClusterIdentity)
	m.groupClaim = fmt.Sprintf(`{"status":{"clusterIdentity":%q}}`, group.Status.ClusterIdentity)
	for _, list := range []client.ObjectList{
		&corev1.ServiceAccountList{}, &corev1.SecretList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{}, &policyv1.PodDisruptionBudgetList{},
		&networkingv1.NetworkPolicyList{}, &appsv1.DeploymentList{},
	} {
		m.children = append(m.children, texts(t, s, list, "orderflow.dev/consumer-group", modelGroup)...)
	}
	m.groups = texts(t, s, &v1alpha1.MQConsumerGroupList{}, "orderflow.dev/flow", modelFlow)
	bindings := texts(t, s, &corev1.SecretList{}, "orderflow.dev/flow", modelFlow)
	if len(m.children) != 8 || len(m.groups) != consumersOfFlow || len(bindings) != 1 {
		t.Fatalf("the operator made %d objects of a group, %d groups and %d bindings of a flow", len(m.children), len(m.groups), len(bindings))
	}
	m.binding, m.edited = bindings[0], withEdit(t, texts(t, s, &appsv1.DeploymentList{}, "orderflow.dev/consumer-group", modelGroup)[0])
	return m
}

// withEdit is the Deployment as newPods makes it.
func withEdit(t *testing.T, text string) string {
	t.Helper()
	o := &unstructured.Unstructured{}
	must(t, o.UnmarshalJSON([]byte(text)))
	must(t, unstructured.SetNestedField(o.Object, modelEdit, "spec", "template", "metadata", "annotations", editKey))
	edited, err := o.MarshalJSON()
	must(t, err)
	return string(edited)
}

// texts are the first team's objects with the label, as they are applied.
func texts(t *testing.T, s *server, list client.ObjectList, label, value string) (texts []string) {
	t.Helper()
	gvk, err := s.admin.GroupVersionKindFor(list)
	must(t, err)
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(gvk)
	must(t, s.admin.List(t.Context(), found, client.InNamespace(modelTeam), client.MatchingLabels{label: value}))
	for _, o := range found.Items {
		delete(o.Object, "status")
		owner := o.GetOwnerReferences()
		owner[0].UID = modelOwner
		o.SetOwnerReferences(owner)
		for _, field := range []string{"resourceVersion", "uid", "generation", "managedFields", "creationTimestamp"} {
			unstructured.RemoveNestedField(o.Object, "metadata", field)
		}
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			if ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); ip != corev1.ClusterIPNone {
				unstructured.RemoveNestedField(o.Object, "spec", field)
			}
		}
		text, err := o.MarshalJSON()
		must(t, err)
		texts = append(texts, string(text))
	}
	return texts
}

// rawWorkers write at once, as many as groups are reconciled at once.
const rawWorkers = 32

// raw writes what the operator would have written, once each, and reads nothing.
type raw struct {
	model  model
	client client.Client
	work   chan func(context.Context) error

	mu     sync.Mutex
	flows  map[types.NamespacedName]client.Object // by group
	groups map[types.NamespacedName]client.Object
	left   map[types.UID]int   // groups of a flow that are not ready
	done   map[types.UID]int64 // generations of groups that were edited
}

// startRaw works until the test ends.
func startRaw(t *testing.T, s *server, m model, n int) *raw {
	t.Helper()
	r := &raw{
		model: m, client: s.admin, work: make(chan func(context.Context) error, 10*n+1000),
		flows: map[types.NamespacedName]client.Object{}, groups: map[types.NamespacedName]client.Object{}, left: map[types.UID]int{}, done: map[types.UID]int64{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for range rawWorkers {
		working.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case do := <-r.work:
					if err := do(ctx); err != nil && ctx.Err() == nil {
						t.Errorf("the raw loop: %v", err)
					}
				}
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	return r
}

// made takes in an object that a user has created.
func (r *raw) made(o client.Object) {
	switch o.(type) {
	case *v1alpha1.MQCluster:
		r.work <- func(ctx context.Context) error { return r.status(ctx, o, r.model.cluster) }
	case *v1alpha1.ThirdPartyAdapter:
		r.work <- func(ctx context.Context) error { return r.status(ctx, o, r.model.adapter) }
	case *v1alpha1.OrderFlow:
		r.work <- func(ctx context.Context) error { return r.makeFlow(ctx, o) }
	case *v1alpha1.MQConsumerGroup:
		r.work <- func(ctx context.Context) error { return r.makeGroup(ctx, o) }
	}
}

// ready takes in a Deployment whose pods are ready.
func (r *raw) ready(d *appsv1.Deployment) {
	key := client.ObjectKeyFromObject(d)
	r.mu.Lock()
	group, flow := r.groups[key], r.flows[key]
	edited := r.done[group.GetUID()] != 0
	r.mu.Unlock()
	if edited {
		return
	}
	r.work <- func(ctx context.Context) error {
		if err := r.status(ctx, group, r.model.group); err != nil || flow == nil {
			return err
		}
		r.mu.Lock()
		r.left[flow.GetUID()]--
		last := r.left[flow.GetUID()] == 0
		r.mu.Unlock()
		if last {
			return r.status(ctx, flow, r.model.flow)
		}
		return nil
	}
}

// edited takes in a group as a watch shows it: where a user has given it other pods, its Deployment is written and then its status, once each.
func (r *raw) edited(g *v1alpha1.MQConsumerGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.Generation == 1 || g.Generation == r.done[g.UID] {
		return
	}
	r.done[g.UID] = g.Generation
	r.work <- func(ctx context.Context) error {
		text := strings.NewReplacer(modelGroup, g.GetName(), modelEdit, g.Spec.Workload.PodAnnotations[editKey]).Replace(r.model.edited)
		if _, err := r.apply(ctx, g, text); err != nil {
			return err
		}
		return r.status(ctx, g.DeepCopy(), strings.ReplaceAll(r.model.group, `"observedGeneration":1`, fmt.Sprintf(`"observedGeneration":%d`, g.Generation)))
	}
}

func (r *raw) makeFlow(ctx context.Context, flow client.Object) error {
	if err := r.status(ctx, flow, r.model.flowClaim); err != nil {
		return err
	}
	r.mu.Lock()
	r.left[flow.GetUID()] = consumersOfFlow
	r.mu.Unlock()
	for _, text := range r.model.groups {
		group, err := r.apply(ctx, flow, strings.ReplaceAll(text, modelFlow, flow.GetName()))
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.flows[client.ObjectKeyFromObject(group)] = flow
		r.mu.Unlock()
		r.work <- func(ctx context.Context) error { return r.makeGroup(ctx, group) }
	}
	_, err := r.apply(ctx, flow, strings.ReplaceAll(r.model.binding, modelFlow, flow.GetName()))
	return err
}

func (r *raw) makeGroup(ctx context.Context, group client.Object) error {
	r.mu.Lock()
	r.groups[client.ObjectKeyFromObject(group)] = group
	r.mu.Unlock()
	if err := r.status(ctx, group, r.model.groupClaim); err != nil {
		return err
	}
	for _, text := range r.model.children {
		if _, err := r.apply(ctx, group, strings.ReplaceAll(text, modelGroup, group.GetName())); err != nil {
			return err
		}
	}
	return nil
}

func (r *raw) apply(ctx context.Context, owner client.Object, text string) (client.Object, error) {
	text = strings.NewReplacer(modelTeam, owner.GetNamespace(), modelOwner, string(owner.GetUID())).Replace(text)
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		return nil, err
	}
	made, err := r.client.Scheme().New(o.GroupVersionKind()) // is answered in its type, as the operator is
	if err != nil {
		return nil, err
	}
	typed := made.(client.Object)
	typed.SetNamespace(o.GetNamespace())
	typed.SetName(o.GetName())
	return typed, r.client.Patch(ctx, typed, client.RawPatch(types.ApplyPatchType, []byte(text)), client.FieldOwner("raw"), client.ForceOwnership)
}

// status writes that of o as the operator does, over the version that o has, which is then the one that was made.
func (r *raw) status(ctx context.Context, o client.Object, text string) error {
	made := reflect.New(reflect.TypeOf(o).Elem()).Interface().(client.Object)
	if err := json.Unmarshal([]byte(text), made); err != nil {
		return err
	}
	made.SetNamespace(o.GetNamespace())
	made.SetName(o.GetName())
	made.SetResourceVersion(o.GetResourceVersion())
	err := r.client.Status().Update(ctx, made, client.FieldOwner("raw"))
	o.SetResourceVersion(made.GetResourceVersion())
	return err
}

// readyRaw is how long the raw loop takes for n groups on an API server of its own, to which then comes.
func readyRaw(t *testing.T, n int, m model, then func(*testing.T, *stage)) time.Duration {
	t.Helper()
	var took time.Duration
	t.Run("raw", func(t *testing.T) {
		s := &stage{server: startServer(t), plan: planOf(n, "127.0.0.1:9876")}
		r := startRaw(t, s.server, m, n)
		s.board, s.pods = startCluster(t, s.server, hooks{ready: r.ready})
		before, began := s.writes(t), time.Now()
		s.create(t, s.plan, r.made)
		s.board.await(t, s.plan.ours(), patience)
		took = time.Since(began)
		t.Logf("%d groups: %v, writes %v", n, took, since(before, s.writes(t)))
		s.board.observe(r.edited)
		then(t, s)
	})
	return took
}
