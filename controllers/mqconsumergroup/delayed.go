// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// delayPage is how many messages of a delay level are read at once, delayPages how many pages at most, from the end: messages of all groups and producers wait there.
	delayPage  = 32
	delayPages = 32
)

// delayed is what waits in the brokers' delay levels for its next attempt by the group.
type delayed struct {
	// due is when the last of it falls due that was seen, and broker where; zero: there is none.
	due    time.Time
	broker string
	// unseen is the longest delay of a level with more messages than are looked at; what the group has there was stored before its pods had settled. Zero: all were.
	unseen time.Duration
	// bounded says that due is not known, but no later than told.
	bounded bool
	// unknown says why nothing is known; "": it is.
	unknown string
}

// until is when the last message falls due, at the latest; nil: none waits.
func (d *delayed) until(settled time.Time) *metav1.Time {
	due := d.due
	if latest := settled.Add(d.unseen); d.unseen > 0 && latest.After(due) {
		due, d.bounded = latest, true
	}
	if due.IsZero() {
		return nil
	}
	return new(metav1.NewTime(due.Truncate(time.Second).Add(time.Second)))
}

// gatherDelayed looks at the delay levels of all brokers, of a suspended group whose pods have nothing in flight. While the answer is known to be nothing, nobody is asked again.
func gatherDelayed(ctx context.Context, seen *inputs) {
	s := seen.group.Status.Suspension
	if !seen.suspended.holds() || s == nil || s.SettledTime == nil || broadcasts(seen.group) || wasDrained(seen.group) || !settle(seen, s.StartTime.Time).IsDone() {
		return
	}
	found := &delayed{}
	seen.delayed = found
	if lost := seen.broker.lost; len(lost) > 0 {
		found.unknown = fmt.Sprintf("broker %s is away", lost[0].Name)
		return
	}
	for _, m := range seen.broker.masters {
		levels, err := levelsOf(seen.cluster, m.Name)
		if err == nil {
			err = lookAtDelays(ctx, seen.broker.admin, m, seen.group.Spec.Group, levels, found)
		}
		if err != nil {
			found.unknown = fmt.Sprintf("broker %s: %v", m.Name, err)
			return
		}
	}
}

// levelsOf are the delay levels of a broker, as its MQCluster has them.
func levelsOf(cluster *v1alpha1.MQCluster, broker string) ([]time.Duration, error) {
	known := cluster.Status.Broker(broker)
	if known == nil {
		return nil, errors.New("it is not in the status of the MQCluster yet")
	}
	return rocketmq.ParseDelayLevels(known.DelayLevels)
}

func lookAtDelays(ctx context.Context, admin *topology.Admin, m topology.Master, group string, levels []time.Duration, found *delayed) error {
	stats, err := admin.TopicStats(ctx, m.Addr, rocketmq.DelayTopic)
	if errors.Is(err, rocketmq.ErrNotFound) {
		return nil // nothing ever waited there
	}
	if err != nil {
		return err
	}
	offsets, err := admin.DelayOffsets(ctx, m.Addr)
	if err != nil {
		return err
	}
	for q, stored := range stats.Queues {
		level := q.ID + 1
		if level > len(levels) {
			continue
		}
		last, all, err := lastDelayed(ctx, admin, m.Addr, group, q, max(offsets[level], stored.Min), stored.Max)
		switch {
		case err != nil:
			return err
		case !last.IsZero() && last.Add(levels[level-1]).After(found.due):
			found.due, found.broker = last.Add(levels[level-1]), m.Name
		case last.IsZero() && !all && levels[level-1] > found.unseen:
			found.unseen, found.broker = levels[level-1], m.Name
		}
	}
	return nil
}

// lastDelayed is when the last of the group's messages in [from, to) of a delay level was stored, page by page from the end; zero: there is none among those that were
// looked at, which are all or not.
func lastDelayed(ctx context.Context, admin *topology.Admin, addr, group string, q rocketmq.Queue, from, to int64) (last time.Time, all bool, err error) {
	for page := 0; to > from; page++ {
		if page == delayPages {
			return time.Time{}, false, nil
		}
		start := max(from, to-delayPage)
		for offset := start; offset < to; {
			r, err := admin.Pull(ctx, addr, rocketmq.PullRequest{
				Group: group, Queue: q, Offset: offset, MaxMessages: int(to - offset), Subscription: rocketmq.Subscription{Topic: q.Topic, Expression: "*"},
			})
			if err != nil {
				return time.Time{}, false, err
			}
			for i := range r.Messages {
				if m := &r.Messages[i]; m.Property(rocketmq.PropertyRealTopic) == rocketmq.RetryTopic(group) {
					last = time.UnixMilli(m.Stored)
				}
			}
			offset = max(r.Next, offset+1)
		}
		if !last.IsZero() {
			return last, true, nil
		}
		to = start
	}
	return time.Time{}, true, nil
}
