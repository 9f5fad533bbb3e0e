// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/controllers/index"
)

// indexed finds objects by package index's fields as the manager's cache does; an API server does not know them.
type indexed struct{ client.WithWatch }

// List lists what lies in the indexes that opts ask for.
func (c indexed) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	asked := client.ListOptions{}
	asked.ApplyOptions(opts)
	wanted := asked.FieldSelector
	asked.FieldSelector, asked.UnsafeDisableDeepCopy = nil, nil
	if err := c.WithWatch.List(ctx, list, &asked); err != nil || wanted == nil {
		return err
	}
	var found []runtime.Object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		for _, r := range wanted.Requirements() {
			if !slices.Contains(index.Values(item.(client.Object), r.Field), r.Value) { //nolint:forcetypeassert // what a client lists are objects
				return nil
			}
		}
		found = append(found, item)
		return nil
	})
	if err != nil {
		return err
	}
	return meta.SetList(list, found)
}
