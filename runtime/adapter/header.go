// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"maps"
	"slices"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// HeaderNames are those of the headers that a request of an adapter carries, sorted. Such a request is built, without a credential's value, and not made.
func HeaderNames(ctx context.Context, spec worker.Adapter, r Request) []string {
	request, err := (&Adapter{spec: spec, url: spec.URL}).request(ctx, r, nil)
	if err != nil {
		return nil // it could not be made either
	}
	return slices.Sorted(maps.Keys(request.Header))
}
