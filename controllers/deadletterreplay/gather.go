// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// inputs are what a batch is made from.
type inputs struct {
	replay *v1alpha1.DeadLetterReplay
	// group and cluster are nil if there is none of that name.
	group   *v1alpha1.MQConsumerGroup
	cluster *v1alpha1.MQCluster
	// unheard: the operator has just begun, and what the group's status says of its pods it did not hear itself.
	unheard bool
	// adapters of the group; one that does not exist is in missing.
	adapters []*v1alpha1.ThirdPartyAdapter
	missing  string
	// record is nil if something of it is lost.
	record *record
	lost   error
	// others are the replays of the group that gave letters back. Nil where the spec does not ask.
	others []*v1alpha1.DeadLetterReplay
	// earlier is what they gave back: up to 5000 messages each, and so read only where a batch is made.
	earlier []past
	// ahead is the replay of the group that has to be done before this one gives anything back; empty: none.
	ahead string

	selection selection
	// invalid says what is wrong with the filter's expression.
	invalid error
}

// gather reads:
//  1. the group, its cluster, its adapters,
//  2. the record of outcomes,
//  3. the group's other replays.
func (r *Reconciler) gather(ctx context.Context, replay *v1alpha1.DeadLetterReplay) (*inputs, error) {
	seen := &inputs{replay: replay}
	seen.selection, seen.invalid = newSelection(&replay.Spec)
	group, cluster := &v1alpha1.MQConsumerGroup{}, &v1alpha1.MQCluster{}
	if found, err := r.find(ctx, replay.Namespace, replay.Spec.GroupRef.Name, group); err != nil {
		return nil, err
	} else if found {
		seen.group, seen.unheard = group, !r.Heard(client.ObjectKeyFromObject(group))
		if found, err = r.find(ctx, replay.Namespace, group.Spec.ClusterRef.Name, cluster); err != nil {
			return nil, err
		} else if found {
			seen.cluster = cluster
		}
		for _, name := range group.Spec.Handler.Adapters() {
			adapter := &v1alpha1.ThirdPartyAdapter{}
			found, err := r.find(ctx, replay.Namespace, name, adapter)
			if err != nil {
				return nil, err
			}
			if !found {
				seen.missing = name
				continue
			}
			seen.adapters = append(seen.adapters, adapter)
		}
	}
	var err error
	if seen.record, seen.lost, err = r.readRecord(ctx, replay); err != nil {
		return nil, err
	}
	return seen, r.gatherOthers(ctx, seen)
}

func (r *Reconciler) find(ctx context.Context, namespace, name string, into client.Object) (bool, error) {
	switch err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into); {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read %T %s: %w", into, name, err)
	}
	return true, nil
}
