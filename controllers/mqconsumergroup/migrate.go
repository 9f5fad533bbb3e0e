// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// migrating reports whether the group's pods work beside members that somebody else runs.
func migrating(seen *inputs) bool {
	return seen.group.Spec.AdoptionPolicy == v1alpha1.AdoptionMigrate && len(foreign(seen)) > 0
}

// membersAgree: members of one group that want different messages take each other's away, and what one does not want is lost to the group. A broker tells what
// the member that joined last wants.
func membersAgree(seen *inputs) result.Result {
	if !migrating(seen) {
		return result.Result{}
	}
	ours := subscriptionOf(seen.group)
	for _, broker := range slices.Sorted(maps.Keys(seen.broker.agreed)) {
		online := seen.broker.agreed[broker]
		theirs, subscribed := online.Subscriptions[seen.group.Spec.Topic]
		var what string
		switch {
		case online.Model != "CLUSTERING":
			what = "consume as " + online.Model + ", where each gets every message: there is nothing to migrate; give this object a group of its own"
		case !subscribed:
			what = fmt.Sprintf("do not subscribe to topic %s: give this object a group of its own", seen.group.Spec.Topic)
		case !alike(ours, theirs):
			what = fmt.Sprintf("subscribe to %q (%s), this object to %q (%s), and all members of a group must want the same: let subscription say what theirs does, and change it when the last of them has left",
				theirs.Expression, theirs.Type, ours.Expression, ours.Type)
		default:
			continue
		}
		return result.Stall(v1alpha1.ReasonSubscriptionMismatch, "the group's members at broker %s %s; they are: %s", broker, what, list(foreign(seen))).Again(lookAgain)
	}
	return result.Result{}
}

// alike reports whether two subscriptions to one topic want the same.
func alike(a, b rocketmq.Subscription) bool {
	if a.Type == rocketmq.TypeSQL92 || b.Type == rocketmq.TypeSQL92 {
		return a.Type == b.Type && a.Expression == b.Expression
	}
	return slices.Equal(slices.Sorted(slices.Values(a.Tags())), slices.Sorted(slices.Values(b.Tags())))
}

// errTheirs: a queue has no offset, and members are online that read it.
var errTheirs = errors.New("has no committed offset yet, and members that somebody else runs may be reading it from where they began")

// awaitTheirs sets no offset: a queue that others read begins where they do, which they write down within half a minute. An offset of ours could lie beyond what
// they have not handled.
func awaitTheirs(_ *topology.Admin, _ context.Context, _ string, q rocketmq.Queue) (int64, error) { //nolint:revive // the order is that of a method expression
	return 0, fmt.Errorf("queue %v %w", q, errTheirs)
}
