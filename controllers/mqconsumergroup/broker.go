// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// retryLimit is the broker's own limit on attempts. Ours is at most 16 and writes a reason; the broker's would write none.
	retryLimit = 64
	// retryQueues of the retry and the dead-letter topic on each broker, as brokers make them themselves.
	retryQueues = 1
)

// ensureGroup claims the group and makes it on the brokers what it should be. The status is written even if a broker falls silent meanwhile.
func ensureGroup(ctx context.Context, seen *inputs, now time.Time, done *steps) {
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	if done.claim = checkBroker(seen); !done.claim.IsDone() {
		return
	}
	if done.claim = takeGroup(ctx, seen, done); !done.claim.IsDone() {
		return
	}
	if !seen.stands {
		done.broker = declare(ctx, seen, now, done)
	}
}

// takeGroup makes sure that the group on the broker is this object's to write. It is so if the status says so for this physical cluster. Else it
// becomes so if nothing of that name is there, or if it may be adopted; and then the status has to be written before the broker is.
func takeGroup(ctx context.Context, seen *inputs, done *steps) result.Result {
	identity, name := seen.cluster.Status.Identity, seen.group.Spec.Group
	if done.claimed == identity {
		return result.Result{}
	}
	exists, err := groupExists(ctx, seen, name)
	if err != nil {
		return topology.Explain(err, "looking for group %s", name)
	}
	if exists != "" {
		strangers := foreign(seen)
		switch policy := seen.group.Spec.AdoptionPolicy; {
		case policy == v1alpha1.AdoptionMigrate:
			if r := membersAgree(seen); !r.IsDone() {
				return r
			}
		case policy != v1alpha1.AdoptionAdopt:
			return result.Stall(v1alpha1.ReasonAlreadyExists,
				"group %s was on broker %s before this object: set adoptionPolicy to Adopt to take it over with its offsets when its members have left, or to Migrate to join beside them; else delete this object and create it with another group", name, exists).Again(interval)
		case len(strangers) > 0:
			return result.Wait(v1alpha1.ReasonForeignConsumersOnline, lookAgain,
				"group %s is taken over once its present members have left; stop them: %s", name, list(strangers))
		}
	}
	done.claimed = identity
	return result.Wait(v1alpha1.ReasonProgressing, 0, "taking group %s", name) // until the cache has the claim
}

// groupExists names a broker that has the group. Asked for a single group, a broker with autoCreateSubscriptionGroup makes it: there the whole list is read.
func groupExists(ctx context.Context, seen *inputs, name string) (broker string, err error) {
	admin, status := seen.broker.admin, seen.cluster.Status
	asksMake := status.Features == nil || status.Features.AutoCreateGroup != v1alpha1.FeatureOff
	for _, m := range seen.broker.masters { // of a new one nobody knows
		asksMake = asksMake || !slices.ContainsFunc(status.Brokers, func(b v1alpha1.BrokerStatus) bool { return b.Name == m.Name && b.Address == m.Addr })
	}
	look := among
	if !asksMake {
		look = asked
	}
	for _, m := range seen.broker.masters {
		if has, err := look(ctx, admin, m.Addr, name); err != nil || has {
			return m.Name, err
		}
	}
	return "", nil
}

// among looks for a group in the broker's list.
func among(ctx context.Context, admin *topology.Admin, addr, name string) (has bool, err error) {
	groups, err := admin.Groups(ctx, addr)
	_, has = groups[name]
	return has, err
}

// asked asks the broker for the group.
func asked(ctx context.Context, admin *topology.Admin, addr, name string) (has bool, err error) {
	_, err = admin.GroupConfig(ctx, addr, name)
	if errors.Is(err, rocketmq.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// list names a few of many.
func list(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// declare makes the group, its retry and its dead-letter topic be on every master as declared, and every queue have an offset.
func declare(ctx context.Context, seen *inputs, now time.Time, done *steps) result.Result {
	name := seen.group.Spec.Group
	var failures []error
	var written int
	made := make([]bool, len(seen.broker.masters))
	errs := atOnce(len(made), func(i int) (err error) {
		made[i], err = declareGroup(ctx, seen.broker.admin, seen.broker.masters[i].Addr, name)
		return err
	})
	for i, m := range seen.broker.masters {
		if err := errs[i]; err != nil {
			failures = append(failures, fmt.Errorf("broker %s: %w", m.Name, err))
			continue
		}
		if made[i] && seen.group.Status.SeededTime != nil {
			done.madeLater = append(done.madeLater, m.Name)
		}
		written++
	}
	if err := errors.Join(failures...); err != nil {
		r := topology.Explain(err, "declaring group %s", name)
		if written > 0 && r.State == result.Unknown {
			r.Reason = v1alpha1.ReasonPartlyApplied
			r.Message = fmt.Sprintf("group %s is as declared on %d of %d brokers only: %v; it is tried again: check that the others run and can write their store", name, written, len(seen.broker.masters), err)
		}
		return r
	}
	done.verified = &now
	err := seed(ctx, seen, now, done)
	switch {
	case errors.Is(err, errTheirs):
		return result.Wait(v1alpha1.ReasonOffsetsNotSeeded, lookAgain, "%v: this object waits until they have committed one, for half a minute or so after they began; if they do not, stop them", err)
	case err != nil:
		r := topology.Explain(err, "setting the start offsets of group %s", name)
		if r.State == result.Unknown {
			r.Reason = v1alpha1.ReasonOffsetsNotSeeded
			r.Message += "; no new pod starts before every queue has one, and it is tried again: check that the broker runs and can write its store"
		}
		return r
	}
	if seen.group.Status.SeededTime == nil {
		done.seeded = &now
	}
	return result.Result{}
}

// atOnce does something n times at once, and returns the errors in order.
func atOnce(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errs
}

// declareGroup corrects the group and its topics at one broker, and reads back what it wrote. made says that the group was not there.
func declareGroup(ctx context.Context, admin *topology.Admin, addr, name string) (made bool, err error) {
	topics := []string{rocketmq.RetryTopic(name), rocketmq.DeadLetterTopic(name)}
	errs := atOnce(1+len(topics), func(i int) (err error) {
		if i == 0 {
			made, err = declareItself(ctx, admin, addr, name)
			return err
		}
		return declareTopic(ctx, admin, addr, topics[i-1])
	})
	return made, errors.Join(errs...)
}

func declareItself(ctx context.Context, admin *topology.Admin, addr, name string) (made bool, err error) {
	have, err := admin.GroupConfig(ctx, addr, name)
	if made = errors.Is(err, rocketmq.ErrNotFound); made {
		have, err = rocketmq.NewGroupConfig(name), nil
		have.RetryMaxTimes = 0 // not as wanted, so that it is written
	}
	if err != nil {
		return false, err
	}
	if !groupRight(have) {
		have.ConsumeEnable, have.BroadcastEnable, have.NotifyMembers, have.RetryMaxTimes = true, true, true, retryLimit
		have.RetryQueues = max(have.RetryQueues, retryQueues)
		if err := admin.PutGroup(ctx, addr, have); err != nil {
			return false, err
		}
		if have, err = admin.GroupConfig(ctx, addr, name); err != nil {
			return false, err
		}
		if !groupRight(have) {
			return false, fmt.Errorf("group %s was written but reads back as %+v", name, have)
		}
	}
	return made, nil
}

func groupRight(g rocketmq.GroupConfig) bool {
	return g.ConsumeEnable && g.NotifyMembers && g.BroadcastEnable && g.RetryMaxTimes == retryLimit && g.RetryQueues >= retryQueues
}

// declareTopic corrects one of the group's own topics. Without it the first retry of a new group would be half a minute late, and its dead
// letters could not be read.
func declareTopic(ctx context.Context, admin *topology.Admin, addr, name string) error {
	have, err := admin.TopicConfig(ctx, addr, name)
	if errors.Is(err, rocketmq.ErrNotFound) {
		have, err = rocketmq.TopicConfig{Name: name}, nil
	}
	if err != nil || topicRight(have) {
		return err
	}
	have.Perm |= rocketmq.PermRead | rocketmq.PermWrite
	have.ReadQueues, have.WriteQueues = max(have.ReadQueues, retryQueues), max(have.WriteQueues, retryQueues) // never fewer
	if err := admin.PutTopic(ctx, addr, have); err != nil {
		return err
	}
	if have, err = admin.TopicConfig(ctx, addr, name); err != nil {
		return err
	}
	if !topicRight(have) {
		return fmt.Errorf("topic %s was written but reads back as %+v", name, have)
	}
	return nil
}

func topicRight(t rocketmq.TopicConfig) bool {
	const both = rocketmq.PermRead | rocketmq.PermWrite
	return t.Perm&both == both && t.ReadQueues >= retryQueues && t.WriteQueues >= retryQueues
}
