// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
)

// children are the series of a vector by what tells them apart. A vector looks its series up by hashing every label, with a lock; what is counted for
// every message is looked up here, without either. They are few: a new one copies the map.
type children[K comparable, M any] struct {
	// create makes the series of a key.
	create func(K) M

	mu    sync.Mutex
	known atomic.Pointer[map[K]M]
}

func newChildren[K comparable, M any](create func(K) M) *children[K, M] {
	c := &children[K, M]{create: create}
	c.known.Store(&map[K]M{})
	return c
}

func (c *children[K, M]) of(key K) M {
	if m, ok := (*c.known.Load())[key]; ok {
		return m
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.known.Load())
	m := c.create(key) // a vector returns the same series again, should another have been first
	next[key] = m
	c.known.Store(&next)
	return m
}
