// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// board watches OrderFlow's objects as a user would, and knows which of them are Ready, and why the others are not.
type board struct {
	mu      sync.Mutex
	ready   map[types.UID]bool
	waits   map[types.UID]string
	changed chan struct{}
	// operator is who makes objects Ready; nil: nobody that may end.
	operator *running
	// observers are told of every change of a group.
	observers map[int]func(*v1alpha1.MQConsumerGroup)
	lastKey   int // of observers
}

func newBoard(t *testing.T, from cache.Cache) *board {
	t.Helper()
	b := &board{
		ready: map[types.UID]bool{}, waits: map[types.UID]string{}, changed: make(chan struct{}, 1), observers: map[int]func(*v1alpha1.MQConsumerGroup){},
	}
	for _, kind := range []client.Object{&v1alpha1.MQCluster{}, &v1alpha1.ThirdPartyAdapter{}, &v1alpha1.OrderFlow{}, &v1alpha1.MQConsumerGroup{}} {
		informer, err := from.GetInformer(t.Context(), kind, cache.BlockUntilSynced(false))
		must(t, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: b.see, UpdateFunc: func(_, now any) { b.see(now) }})
		must(t, err)
	}
	return b
}

func (b *board) see(object any) {
	o := object.(client.Object)
	is, why := readiness(o)
	b.mu.Lock()
	b.ready[o.GetUID()] = is
	delete(b.waits, o.GetUID())
	if !is {
		b.waits[o.GetUID()] = fmt.Sprintf("%T %s/%s: %s", o, o.GetNamespace(), o.GetName(), why)
	}
	observers := slices.Collect(maps.Values(b.observers))
	b.mu.Unlock()
	if group, isGroup := o.(*v1alpha1.MQConsumerGroup); isGroup {
		for _, tell := range observers {
			tell(group)
		}
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// observe has tell told of every change of a group, until end is called.
func (b *board) observe(tell func(*v1alpha1.MQConsumerGroup)) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastKey++
	key := b.lastKey
	b.observers[key] = tell
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.observers, key)
	}
}

func readiness(o client.Object) (is bool, why string) {
	var conditions []metav1.Condition
	switch o := o.(type) {
	case *v1alpha1.MQCluster:
		conditions = o.Status.Conditions
	case *v1alpha1.ThirdPartyAdapter:
		conditions = o.Status.Conditions
	case *v1alpha1.OrderFlow:
		conditions = o.Status.Conditions
	case *v1alpha1.MQConsumerGroup:
		conditions = o.Status.Conditions
	}
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return false, "not looked at"
	case c.ObservedGeneration != o.GetGeneration():
		return false, "not looked at since it was changed"
	}
	return c.Status == metav1.ConditionTrue, c.Message
}

// await waits until n objects are Ready, and none is not.
func (b *board) await(t *testing.T, n int, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(<-chan struct{})
	if b.operator != nil {
		ended = b.operator.ended
	}
	for !b.isReady(n) {
		select {
		case <-b.changed:
		case <-ended:
			t.Fatalf("the operator ended: %v", b.operator.err)
		case <-ctx.Done():
			t.Fatalf("not all are ready after %v: %s", patience, b.missing())
		}
	}
}

func (b *board) isReady(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ready) == n && len(b.waits) == 0
}

func (b *board) missing() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, shown := fmt.Sprintf("%d of %d wait", len(b.waits), len(b.ready)), 0
	for _, why := range b.waits {
		if shown++; shown > 5 {
			break
		}
		text += "\n\t" + why
	}
	return text
}
