// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

const (
	// few groups are updated at five a second, for 20 s.
	few = 100
	// many groups are updated at fifty a second, for 8 s.
	many = 400
	// followed is when nothing follows any more from edits: pods have taken them over, and it is said that they have.
	followed = 20 * time.Second
)

// edit is what is changed of a group, as a merge patch, the n-th time.
type edit func(n int) string

// newTemplate is what a team edits most: the pods that run take it over.
func newTemplate(n int) string {
	return fmt.Sprintf(`{"spec":{"handler":{"push":{"templateId":"order_paid_%d"}}}}`, n)
}

// editKey is of the annotation that newPods changes.
const editKey = "bench"

// newPods has the pods replaced.
func newPods(n int) string {
	return fmt.Sprintf(`{"spec":{"workload":{"podAnnotations":{%q:"%d"}}}}`, editKey, n)
}

// updates measures at five and at fifty changed groups a second, each kind of edit on groups of its own.
func (s *stage) updates(t *testing.T, r *record) {
	t.Helper()
	left := s.alone()
	s.update(t, r, "update_5_ms", take(&left, few), 5, newPods)
	s.update(t, r, "live_5_ms", take(&left, few), 5, newTemplate)
	s.update(t, r, "live_ms", take(&left, many), 50, newTemplate)
	s.update(t, r, "update_ms", take(&left, many), 50, newPods)
	r.figure("reconcile_p99_ms_at_5", "", `quantile("update_5_ms", 0.99)`)
	r.figure("reconcile_p99_ms", "x <= 50.0", `quantile("update_ms", 0.99)`)
	r.figure("reconcile_live_p99_ms_at_5", "", `quantile("live_5_ms", 0.99)`)
	r.figure("reconcile_live_p99_ms", "", `quantile("live_ms", 0.99)`)
}

// updatesRaw measures what the machine can do at all.
func (s *stage) updatesRaw(t *testing.T, r *record) {
	t.Helper()
	left := s.alone()
	s.update(t, r, "update_raw_5_ms", take(&left, few), 5, newPods)
	s.update(t, r, "update_raw_ms", take(&left, many), 50, newPods)
	r.figure("reconcile_raw_p99_ms_at_5", "", `quantile("update_raw_5_ms", 0.99)`)
	r.figure("reconcile_raw_p99_ms", "", `quantile("update_raw_ms", 0.99)`)
}

// take n groups, and no more than half of those that are left.
func take(left *[]*v1alpha1.MQConsumerGroup, n int) []*v1alpha1.MQConsumerGroup {
	n = min(n, len(*left)/2)
	taken := (*left)[:n]
	*left = (*left)[n:]
	return taken
}

// update changes so many groups each second, and measures for each from when a watch shows the change to when it shows that the operator is done with it: what
// pods are made of was written, and the status speaks of the new generation.
func (s *stage) update(t *testing.T, r *record, series string, groups []*v1alpha1.MQConsumerGroup, perSecond int, patch edit) {
	t.Helper()
	var mu sync.Mutex
	changed, done := map[types.UID]time.Time{}, 0
	all := make(chan struct{})
	end := s.board.observe(func(g *v1alpha1.MQConsumerGroup) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		began, is := changed[g.UID]
		switch {
		case !is && g.Status.ObservedGeneration < g.Generation:
			changed[g.UID] = now
		case is && !began.IsZero() && g.Status.ObservedGeneration == g.Generation:
			changed[g.UID] = time.Time{}
			r.Sample(series, float64(now.Sub(began).Microseconds())/1000)
			if done++; done == len(groups) {
				close(all)
			}
		}
	})
	defer end()
	before, cpu := s.writes(t), s.operator.cpu(t)
	var updates errgroup.Group
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for i, g := range groups {
		<-ticker.C
		updates.Go(func() error {
			return s.admin.Patch(t.Context(), g.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch(i))))
		})
	}
	must(t, updates.Wait())
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Errorf("%d of %d updates were done", done, len(groups))
	}
	s.board.await(t, s.plan.ours(), patience)
	pause(t.Context(), followed)
	t.Logf("%s: %d updates, %v of CPU, with writes %v", series, len(groups), s.operator.cpu(t)-cpu, since(before, s.writes(t)))
}

// alone are the groups that belong to no flow and do not scale.
func (s *stage) alone() (groups []*v1alpha1.MQConsumerGroup) {
	for _, o := range s.plan.objects {
		if g, is := o.(*v1alpha1.MQConsumerGroup); is && g.Spec.Scaling == nil {
			groups = append(groups, g)
		}
	}
	return groups
}
