// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// kubelet makes of each Deployment what a cluster would: pods that run at addresses of their own, and a status. What a pod answers is pods'.
type kubelet struct {
	client client.Client
	pods   *pods
	hooks  hooks
}

// hooks are told of Deployments: that one is to be changed, and that its pods are ready.
type hooks struct{ changed, ready func(*appsv1.Deployment) }

// kubeletParallel is ample: whoever makes Deployments is what is measured.
const kubeletParallel = 16

// startCluster runs the kubelet and a board of what is ready until the test ends.
func startCluster(t *testing.T, s *server, h hooks) (*board, *pods) {
	t.Helper()
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "orderflow"}), Transform: cache.TransformStripManagedFields()}
	mgr, err := ctrl.NewManager(s.config, ctrl.Options{
		Scheme:                 scheme(),
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Controller:             config.Controller{SkipNameValidation: new(true)},
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         map[client.Object]cache.ByObject{&appsv1.Deployment{}: ours, &corev1.Secret{}: ours},
		},
	})
	must(t, err)
	k := &kubelet{client: mgr.GetClient(), pods: startPods(t, mgr.GetClient()), hooks: h}
	must(t, ctrl.NewControllerManagedBy(mgr).For(&appsv1.Deployment{}).WithOptions(controller.Options{MaxConcurrentReconciles: kubeletParallel}).Complete(k))
	b := newBoard(t, mgr.GetCache())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	if !mgr.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("the caches were not filled")
	}
	return b, k.pods
}

// Reconcile makes the pods of one Deployment be as many as it wants. A changed template changes its pods in place.
func (k *kubelet) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	d := &appsv1.Deployment{}
	if err := k.client.Get(ctx, request.NamespacedName, d); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	wanted := *d.Spec.Replicas
	if d.Status.ObservedGeneration == d.Generation {
		return ctrl.Result{}, nil
	}
	if k.hooks.changed != nil {
		k.hooks.changed(d)
	}
	for i := range wanted {
		if err := k.run(ctx, d, i); err != nil {
			return ctrl.Result{}, err
		}
	}
	for i := wanted; i < d.Status.Replicas; i++ {
		gone := k.pods.remove(podKey{d.Namespace, d.Name, i})
		if err := k.client.Delete(ctx, gone); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, err
		}
	}
	before := d.DeepCopy()
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: wanted, UpdatedReplicas: wanted, ReadyReplicas: wanted, AvailableReplicas: wanted,
	}
	if err := k.client.Status().Patch(ctx, d, client.MergeFrom(before)); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if k.hooks.ready != nil {
		k.hooks.ready(d)
	}
	return ctrl.Result{}, nil
}

// run makes a pod be there, and run from the structure that the Deployment names.
func (k *kubelet) run(ctx context.Context, d *appsv1.Deployment, index int32) error {
	key := podKey{d.Namespace, d.Name, index}
	addr, fresh := k.pods.add(key, structureOf(d))
	if !fresh {
		return nil
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: key.name(), Labels: d.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: *d.Spec.Template.Spec.DeepCopy(),
	}
	if err := k.client.Create(ctx, pod); err != nil {
		return err
	}
	before := pod.DeepCopy()
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, addr.String(), []corev1.PodIP{{IP: addr.String()}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	return k.client.Status().Patch(ctx, pod, client.MergeFrom(before))
}

// structureOf is the ConfigMap with the structure that the pods run from.
func structureOf(d *appsv1.Deployment) string {
	for _, mount := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		if mount.MountPath != path.Dir(worker.StructureFile) {
			continue
		}
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name == mount.Name {
				return v.ConfigMap.Name
			}
		}
	}
	return ""
}

// podKey names the pod of an index of a group.
type podKey struct {
	namespace, group string
	index            int32
}

func (k podKey) name() string { return fmt.Sprintf("%s-%d", k.group, k.index) }

// addrOf is the n-th address of this machine: all of 127.0.0.0/8 is its own.
func addrOf(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + n>>16), byte(n >> 8), byte(n)})
}
