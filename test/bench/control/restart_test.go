// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

const (
	// restarts are measured in turns with informers.
	restarts = 3
	// changedWhileAway is how many groups ask for another number of pods each time the operator is away.
	changedWhileAway = 200
)

// restart measures from the start of an operator's process to its first decision: groups were changed while there was none. No other Deployment may change.
func (s *stage) restart(t *testing.T, r *record) {
	t.Helper()
	alone := s.alone()
	step := max(len(alone)/changedWhileAway, 1)
	for round := range restarts {
		s.operator.stop(t)
		wanted := int32(2 + round%2)
		due := map[types.NamespacedName]bool{}
		for i := 0; i < len(alone); i += step {
			due[client.ObjectKeyFromObject(alone[i])] = true
			patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, wanted)
			must(t, s.admin.Patch(t.Context(), alone[i].DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))))
		}
		r.Sample("sync_s", s.syncTime(t).Seconds())
		first := make(chan time.Time, 1)
		var once sync.Once
		s.hooks.changed = func(d *appsv1.Deployment) {
			if !due[client.ObjectKeyFromObject(d)] || *d.Spec.Replicas != wanted {
				t.Errorf("after a restart Deployment %s/%s was changed, to %d pods", d.Namespace, d.Name, *d.Spec.Replicas)
			}
			once.Do(func() { first <- time.Now() })
		}
		before := s.writes(t)
		s.operator = s.startOperator(t)
		s.board.operator = s.operator
		select {
		case at := <-first:
			r.Sample("restart_s", at.Sub(s.operator.began).Seconds())
			t.Logf("restart: %v to the first decision", at.Sub(s.operator.began))
		case <-time.After(patience):
			t.Fatal("the operator decided nothing")
		}
		s.board.await(t, s.plan.ours(), patience)
		t.Logf("all are Ready after %v, with writes %v", time.Since(s.operator.began), since(before, s.writes(t)))
	}
	s.hooks.changed = nil
	r.figure("restart_5000_vs_sync", "x <= 1.3", `median("restart_s") / median("sync_s")`)
}

const synced = "synced"

// syncTime is how long a process takes that reads the same objects into informers, and nothing else.
func (s *stage) syncTime(t *testing.T) time.Duration {
	t.Helper()
	p := s.startProcess(t, process{Informers: true})
	line, err := bufio.NewReader(p.stdout).ReadString('\n')
	took := time.Since(p.began)
	if err != nil || strings.TrimSpace(line) != synced {
		t.Fatalf("the informers said %q: %v", line, err)
	}
	p.stop(t)
	t.Logf("informers: %v", took)
	return took
}

// syncInformers fills informers of all kinds the operator watches, says so, and waits for its end.
func syncInformers(ctx context.Context, config *rest.Config) error {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "orderflow"})}
	owned := []client.Object{
		&appsv1.Deployment{}, &corev1.Pod{}, &corev1.ConfigMap{}, &corev1.Service{}, &corev1.ServiceAccount{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	}
	options := cache.Options{Scheme: scheme(), ByObject: map[client.Object]cache.ByObject{}}
	for _, kind := range owned {
		options.ByObject[kind] = ours
	}
	informers, err := cache.New(config, options)
	if err != nil {
		return err
	}
	kinds := append(owned, &v1alpha1.MQCluster{}, &v1alpha1.ThirdPartyAdapter{}, &v1alpha1.OrderFlow{}, &v1alpha1.MQConsumerGroup{}, &v1alpha1.DeadLetterReplay{})
	for _, kind := range kinds {
		if _, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- informers.Start(ctx) }()
	if informers.WaitForCacheSync(ctx) {
		fmt.Fprintln(os.Stdout, synced)
	}
	return <-ended
}
