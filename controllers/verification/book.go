// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package verification

import (
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Book has the verifications of the objects of one kind. A nil Book remembers nothing: all is due at every look.
type Book struct {
	every time.Duration

	mu      sync.Mutex
	entries map[types.NamespacedName]entry
}

// entry is one object's last verification.
type entry struct {
	// state is what was verified.
	state string
	// time of it, and when it is due again.
	time, due time.Time
}

// New returns a Book in which a verification is due again after every, half of it more or less: objects that were made at one moment do not ask the
// broker at one moment for ever.
func New(every time.Duration) *Book {
	return &Book{every: every, entries: map[types.NamespacedName]entry{}}
}

// State names what there is to verify of an object: its spec, on the masters of a physical cluster, whose addresses go by their names.
func State(object metav1.Object, identity string, masters map[string]string) string {
	return fmt.Sprintf("%s %d %s %v", object.GetUID(), object.GetGeneration(), identity, masters)
}

// IsDue reports whether the object has to be read back: it was not in this state, or that was too long ago.
func (b *Book) IsDue(name types.NamespacedName, state string, now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.entries[name]
	return !known || e.state != state || !now.Before(e.due)
}

// Until is how long it is until the object has to be read back, a second at least. 0: nothing is remembered of it.
func (b *Book) Until(name types.NamespacedName, now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.entries[name]
	if !known {
		return 0
	}
	return max(e.due.Sub(now), time.Second)
}

// Note writes down that the object was read back in this state, and all was well.
func (b *Book) Note(name types.NamespacedName, state string, now time.Time) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[name] = entry{state, now, now.Add(wait.Jitter(b.every/2, 2))}
}

// Forget drops an object that is gone, or is to be read back at its next look.
func (b *Book) Forget(name types.NamespacedName) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, name)
}

// Times are those of the last verifications.
func (b *Book) Times() map[types.NamespacedName]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	times := make(map[types.NamespacedName]time.Time, len(b.entries))
	for name, e := range b.entries {
		times[name] = e.time
	}
	return times
}
