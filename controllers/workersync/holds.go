// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// call is a pod that was called, and what came of it.
type call struct {
	pod     Pod
	client  *groupClient
	live    worker.Live
	address string
	report  Report
}

// spread judges each third party by what all its pods have just said, tells each pod what the others know, and writes down who probes. Who cannot be told goes
// by its own circuit, at once or when its lease has ended.
func (s *Syncer) spread(ctx context.Context, calls []*call) {
	now := time.Now()
	outages := map[types.NamespacedName]*outage{}
	for adapter, members := range membersOf(calls) {
		if o := judge(members, s.outages[adapter], now); o != nil {
			outages[adapter] = o
		}
	}
	s.outages = outages
	var tells errgroup.Group
	tells.SetLimit(maxCalls)
	for _, c := range calls {
		holds := c.learn(outages)
		if len(holds) == 0 {
			continue
		}
		tells.Go(func() error {
			if answer, err := c.client.ask(ctx, c.address, worker.SyncRequest{Holds: holds}); err == nil {
				answer.LiveProblem = c.report.Answer.LiveProblem
				c.report.Answer = answer
			}
			return nil
		})
	}
	_ = tells.Wait() // no call fails the others
}

// membersOf are the third parties of all pods that answered: adapters by name in a namespace.
func membersOf(calls []*call) map[types.NamespacedName][]member {
	members := map[types.NamespacedName][]member{}
	for _, c := range calls {
		if c.report.Err != nil || c.report.Answer.Suspension != nil { // which calls nobody, and so neither probes nor says how a third party is
			continue
		}
		for _, seen := range c.report.Answer.Adapters {
			m := member{
				pod: c.pod, circuit: seen.Circuit, held: seen.Held,
				message: c.report.Answer.Waiting+c.report.Answer.InFlight > 0,
			}
			if seen.Outage != nil {
				m.opened, m.idle = c.report.Time.Add(-seen.Outage.Lasts.D()), seen.Outage.Due.D()
			}
			if seen.Served != nil {
				m.served = c.report.Time.Add(-seen.Served.D())
			}
			key := types.NamespacedName{Namespace: c.pod.Group.Namespace, Name: seen.Name}
			members[key] = append(members[key], m)
		}
	}
	return members
}

// learn notes who probes for the pod's third parties, and returns what the pod is to be told: to wait for another's probe, or to wait no longer.
func (c *call) learn(outages map[types.NamespacedName]*outage) (holds []worker.Hold) {
	if c.report.Err != nil {
		return nil
	}
	for _, seen := range c.report.Answer.Adapters {
		o := outages[types.NamespacedName{Namespace: c.pod.Group.Namespace, Name: seen.Name}]
		if o != nil {
			if c.report.Probers == nil {
				c.report.Probers = map[string]Prober{}
			}
			c.report.Probers[seen.Name] = o.prober
		}
		switch {
		case o != nil && o.prober.Pod != c.pod:
			holds = append(holds, worker.Hold{Adapter: seen.Name, Lease: worker.Duration(worker.MaxLease)})
		case seen.Held:
			holds = append(holds, worker.Hold{Adapter: seen.Name})
		}
	}
	return holds
}
