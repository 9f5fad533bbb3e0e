// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// patience is for how long a pod that could probe, and does not, is taken for one that will.
	patience = 10 * time.Second
	// turn is how long one pod probes before another does that has a message too: what fails may be the pod, or its message.
	turn = 30 * time.Second
)

// Pod names a pod of a group.
type Pod struct {
	Group types.NamespacedName
	Name  string
}

func (p Pod) compare(q Pod) int {
	return cmp.Or(cmp.Compare(p.Group.Namespace, q.Group.Namespace), cmp.Compare(p.Group.Name, q.Group.Name), cmp.Compare(p.Name, q.Name))
}

// Prober is the pod that looks for the return of a third party, since when, while all others wait for what comes of it.
type Prober struct {
	Pod
	Since time.Time
}

// String says it to whoever asks why the others do not call.
func (p Prober) String() string {
	return fmt.Sprintf("pod %s of group %s looks for its return since %s, all others wait for what it finds", p.Name, p.Group.Name, p.Since.UTC().Format(time.RFC3339))
}

// member is a third party as one pod that answered sees it.
type member struct {
	pod     Pod
	circuit worker.Circuit
	// held: it waits for another pod's probe.
	held bool
	// message: it has one to probe with.
	message bool
	// opened is when failures of its own opened its circuit, and idle for how long it could have probed since and has not. Zero: it knows of no failure.
	opened time.Time
	idle   time.Duration
	// served is when the third party last was well. Zero: it never was.
	served time.Time
}

// outage is a third party that is taken for down.
type outage struct {
	prober Prober
	// seen is when there last was a pod that probed and found it so.
	seen time.Time
	// asked are the pods that have probed, or were first to say so.
	asked map[Pod]bool
}

// judge says whether a third party is down for all its pods, as those that answered see it, and who probes then; nil leaves each pod to its own circuit. before is
// what was judged last. It is down if a circuit opened and nobody was served after that, else the trouble is that pod's own, and as long as somebody probes. With one
// pod there is nobody to tell.
func judge(members []member, before *outage, now time.Time) *outage {
	if len(members) < 2 {
		return nil
	}
	members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return a.pod.compare(b.pod) })
	var served time.Time
	for _, m := range members {
		if m.served.After(served) {
			served = m.served
		}
	}
	down := func(m member) bool { return !m.opened.IsZero() && !served.After(m.opened) }
	probing := func(m member) bool { return !m.held && !m.opened.IsZero() && m.idle < patience }
	after := &outage{seen: now, asked: map[Pod]bool{}}
	if !slices.ContainsFunc(members, down) {
		return nil
	}
	if !slices.ContainsFunc(members, probing) {
		if before == nil || !before.waitsFor(members, now) {
			return nil
		}
		after.seen = before.seen
	}
	if before != nil {
		maps.Copy(after.asked, before.asked)
		after.prober = before.prober
	}
	if next := after.next(members, down, now); next != nil {
		after.prober = Prober{next.pod, now}
	}
	after.asked[after.prober.Pod] = true
	return after
}

// waitsFor reports whether the prober may yet say that the third party is down still.
func (o *outage) waitsFor(members []member, now time.Time) bool {
	prober := find(members, o.prober.Pod)
	return prober != nil && prober.circuit == worker.CircuitHalfOpen || now.Sub(o.seen) < patience
}

// next is the pod whose turn begins, nil to leave it to the one that has it.
func (o *outage) next(members []member, down func(member) bool, now time.Time) *member {
	candidate := func(m member) bool { return m.message && m.pod != o.prober.Pod }
	unasked := func(m member) bool { return candidate(m) && !o.asked[m.pod] }
	prober, long := find(members, o.prober.Pod), now.Sub(o.prober.Since)
	switch {
	case prober == nil:
		return o.first(members, func(m member) bool { return down(m) && m.message }, down, candidate, func(member) bool { return true })
	case !prober.opened.IsZero() && o.first(members, unasked) != nil: // a second opinion
		return o.first(members, unasked)
	case prober.circuit == worker.CircuitHalfOpen: // its probe is out
		return nil
	case !prober.message, long >= turn, long >= patience && (prober.opened.IsZero() || prober.idle >= patience):
		return o.first(members, candidate)
	}
	return nil
}

// first is the member of the first wish that any fulfils, from the one after the prober on.
func (o *outage) first(members []member, wishes ...func(member) bool) *member {
	from, _ := slices.BinarySearchFunc(members, o.prober.Pod, func(m member, p Pod) int { return m.pod.compare(p) })
	for _, wish := range wishes {
		for i := range members {
			if m := &members[(from+i)%len(members)]; wish(*m) {
				return m
			}
		}
	}
	return nil
}

func find(members []member, p Pod) *member {
	if i := slices.IndexFunc(members, func(m member) bool { return m.pod == p }); i >= 0 {
		return &members[i]
	}
	return nil
}
