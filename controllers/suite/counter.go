// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Counter is a client that counts what it is asked to change, whether or not that changes anything.
type Counter struct {
	client.Client

	mu     sync.Mutex
	writes []string
}

// Writes are those since the last call.
func (c *Counter) Writes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	writes := c.writes
	c.writes = nil
	return writes
}

func (c *Counter) count(verb string, object any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, fmt.Sprintf("%s %T", verb, object))
}

// Create implements client.Client, as do the methods below.
func (c *Counter) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	c.count("create", object)
	return c.Client.Create(ctx, object, opts...)
}

// Patch counts.
func (c *Counter) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	c.count("patch", object)
	return c.Client.Patch(ctx, object, patch, opts...)
}

// Delete counts.
func (c *Counter) Delete(ctx context.Context, object client.Object, opts ...client.DeleteOption) error {
	c.count("delete", object)
	return c.Client.Delete(ctx, object, opts...)
}

// Status counts, too.
func (c *Counter) Status() client.SubResourceWriter { return statusCounter{c.Client.Status(), c} }

type statusCounter struct {
	client.SubResourceWriter
	counter *Counter
}

func (s statusCounter) Update(ctx context.Context, object client.Object, opts ...client.SubResourceUpdateOption) error {
	s.counter.count("write the status of", object)
	return s.SubResourceWriter.Update(ctx, object, opts...)
}
