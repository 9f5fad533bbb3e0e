// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/worker"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

func named(name string) Pod {
	return Pod{Group: types.NamespacedName{Namespace: "shop", Name: "push"}, Name: name}
}

// well is a pod that was served so long ago, open one whose circuit opened so long ago, waiting one that is held; the latter two have a message.
func well(name string, served time.Duration) member {
	return member{pod: named(name), circuit: worker.CircuitClosed, served: ago(served)}
}

func open(name string, opened time.Duration) member {
	return member{pod: named(name), circuit: worker.CircuitOpen, opened: ago(opened), message: true}
}

func waiting(name string) member {
	return member{pod: named(name), circuit: worker.CircuitOpen, held: true, message: true}
}

// found is one that is held and found so itself, a minute ago.
func found(name string) member {
	m := waiting(name)
	m.opened = ago(time.Minute)
	return m
}

func (m member) with(change func(*member)) member {
	change(&m)
	return m
}

func idle(m *member) { m.message = false }

func free(m *member) { m.held = false }

func halfOpen(m *member) { m.circuit = worker.CircuitHalfOpen }

// probes is what was judged before: who probes since when, seen a pass ago, with those that had their turn.
func probes(name string, since time.Duration, asked ...string) *outage {
	o := &outage{prober: Prober{named(name), ago(since)}, seen: ago(2 * time.Second), asked: map[Pod]bool{named(name): true}}
	for _, other := range asked {
		o.asked[named(other)] = true
	}
	return o
}

func TestWhoProbesWhileTheOthersWait(t *testing.T) {
	const s = time.Second
	for sentence, test := range map[string]struct {
		members []member
		before  *outage
		want    string // the prober, "" for nobody held
		since   time.Duration
	}{
		"one pod has nobody to tell":                            {[]member{open("a", s)}, nil, "", 0},
		"all are well":                                          {[]member{well("a", s), well("b", time.Hour)}, nil, "", 0},
		"the one whose circuit opened probes":                   {[]member{well("a", time.Hour), open("b", s), well("c", time.Hour).with(idle)}, nil, "b", 0},
		"one of two that opened, with a message":                {[]member{open("a", s).with(idle), open("b", s)}, nil, "b", 0},
		"one that opened rather than one with a message":        {[]member{open("b", s).with(idle), well("c", time.Hour).with(func(m *member) { m.message = true })}, nil, "b", 0},
		"who was served since shows that the trouble is b's":    {[]member{well("a", s), open("b", 2*s)}, nil, "", 0},
		"who was served before shows nothing":                   {[]member{well("a", 3*s), open("b", 2*s)}, nil, "b", 0},
		"however long ago":                                      {[]member{well("a", time.Hour), open("b", 2*time.Hour)}, nil, "", 0},
		"another opened after that":                             {[]member{well("a", 3*s), open("b", 4*s), open("c", 2*s)}, nil, "c", 0},
		"a pod that could have probed long since shows nothing": {[]member{well("a", time.Hour), open("b", time.Minute).with(func(m *member) { m.idle = patience })}, nil, "", 0},
		"a finding holds while it is another's turn":            {[]member{found("a").with(func(m *member) { m.opened = ago(2 * s) }), open("b", 5*s), well("c", 3*s).with(idle)}, probes("b", 20*s, "a"), "b", 20 * s},
		"unless somebody was served since":                      {[]member{found("a"), open("b", 5*s), well("c", s).with(idle)}, probes("b", 20*s, "a"), "", 0},
		"what others say is no evidence":                        {[]member{waiting("a"), waiting("b")}, nil, "", 0},
		"who has the turn keeps it":                             {[]member{open("a", s), waiting("b")}, probes("a", 20*s, "b"), "a", 20 * s},
		"a second opinion is asked of whoever has a message":    {[]member{open("a", s), waiting("b"), waiting("c")}, probes("a", 2*s), "b", 0},
		"of each":                                             {[]member{open("b", s), waiting("a"), waiting("c")}, probes("b", 2*s, "a"), "c", 0},
		"after the one before has failed":                     {[]member{waiting("b").with(free), found("a"), waiting("c")}, probes("b", 2*s, "a"), "b", 2 * s},
		"who has no message is not asked":                     {[]member{open("a", s), waiting("b").with(idle)}, probes("a", 2*s), "a", 2 * s},
		"the turn goes round":                                 {[]member{waiting("a"), open("b", s), waiting("c")}, probes("b", turn, "a", "c"), "c", 0},
		"and round":                                           {[]member{waiting("a"), waiting("b"), open("c", s)}, probes("c", turn, "a", "b"), "a", 0},
		"to those that have a message":                        {[]member{waiting("a").with(idle), open("b", s)}, probes("b", time.Hour), "b", time.Hour},
		"not while its probe is out":                          {[]member{waiting("a"), open("b", s).with(halfOpen)}, probes("b", turn, "a"), "b", turn},
		"a prober without a message gives its turn away":      {[]member{waiting("a"), open("b", s).with(idle)}, probes("b", 2*s, "a"), "a", 0},
		"a prober that did not try either":                    {[]member{found("a"), waiting("b").with(free)}, probes("b", patience, "a").seenAt(s), "a", 0},
		"a prober that is gone is followed by another":        {[]member{found("a"), found("c")}, probes("b", 2*s, "a", "c"), "c", 0},
		"when nobody has said anything for long all are free": {[]member{found("a"), waiting("c")}, probes("b", 2*s).seenAt(patience), "", 0},
		"and when who found it down is gone":                  {[]member{waiting("a"), waiting("c")}, probes("b", 2*s), "", 0},
		"but for a probe that is out":                         {[]member{found("a"), waiting("b").with(free).with(halfOpen)}, probes("b", time.Minute, "a").seenAt(time.Minute), "b", time.Minute},
		"who is served frees all":                             {[]member{waiting("a"), well("b", s)}, probes("b", 20*s), "", 0},
		"but one that opened again since":                     {[]member{waiting("a"), open("b", s).with(func(m *member) { m.served = ago(2 * s) })}, probes("b", 20*s, "a"), "b", 20 * s},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := judge(test.members, test.before, noon)
			switch {
			case test.want == "" && got != nil:
				t.Errorf("%s probes and the others are held, want nobody held", got.prober.Name)
			case test.want != "" && got == nil:
				t.Errorf("nobody is held, want %s to probe", test.want)
			case got != nil && (got.prober.Pod != named(test.want) || !got.prober.Since.Equal(ago(test.since))):
				t.Errorf("%s probes since %v, want %s since %v", got.prober.Name, got.prober.Since, test.want, ago(test.since))
			}
		})
	}
}

func (o *outage) seenAt(before time.Duration) *outage {
	o.seen = ago(before)
	return o
}

// drawMembers draws up to eight pods in any state.
func drawMembers(t *rapid.T) []member {
	names := rapid.SliceOfNDistinct(rapid.StringMatching("[a-h]"), 0, 8, rapid.ID).Draw(t, "pods")
	var members []member
	for _, name := range names {
		moment := func(what string) time.Time {
			if rapid.Bool().Draw(t, what+" is known") {
				return ago(time.Duration(rapid.IntRange(0, 60).Draw(t, what)) * time.Second)
			}
			return time.Time{}
		}
		members = append(members, member{
			pod:     named(name),
			circuit: rapid.SampledFrom([]worker.Circuit{worker.CircuitClosed, worker.CircuitHalfOpen, worker.CircuitOpen}).Draw(t, "circuit"),
			held:    rapid.Bool().Draw(t, "held"), message: rapid.Bool().Draw(t, "message"),
			opened: moment("opened"), served: moment("served"),
			idle: time.Duration(rapid.IntRange(0, 20).Draw(t, "idle")) * time.Second,
		})
	}
	return members
}

func drawBefore(t *rapid.T) *outage {
	if rapid.Bool().Draw(t, "all was well") {
		return nil
	}
	return probes(rapid.StringMatching("[a-h]").Draw(t, "prober"), time.Duration(rapid.IntRange(0, 60).Draw(t, "since"))*time.Second, rapid.StringMatching("[a-h]").Draw(t, "asked"))
}

func TestNobodyIsHeldWithoutAProberThatCanBeAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, before := drawMembers(t), drawBefore(t)
		order := slices.Clone(members)
		o := judge(members, before, noon)
		if !slices.Equal(members, order) {
			t.Error("it changes what it looks at")
		}
		if len(members) < 2 && o != nil {
			t.Errorf("with %d pods somebody is held", len(members))
		}
		if o != nil && (find(members, o.prober.Pod) == nil || !o.asked[o.prober.Pod] || o.prober.Since.After(noon)) {
			t.Errorf("%+v probes, which is none of %+v", o.prober, members)
		}
	})
}

func TestWhoeverIsServedFreesAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		for i := range members {
			if members[i].opened.Equal(noon) {
				members[i].opened = ago(time.Second)
			}
		}
		members = append(members, member{pod: named("x"), circuit: worker.CircuitClosed, served: noon})
		if o := judge(members, drawBefore(t), noon); o != nil {
			t.Errorf("%+v probes, although a pod is served", o.prober)
		}
	})
}

func TestHoldsEndWhereNobodyProbes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		for i := range members { // nobody's circuit moves from now on: nobody probes
			if members[i].circuit == worker.CircuitHalfOpen {
				members[i].circuit = worker.CircuitOpen
			}
		}
		o := judge(members, drawBefore(t), noon)
		for pass := 1; o != nil; pass++ {
			passed := time.Duration(pass) * period
			if passed > 2*patience+period {
				t.Fatalf("still held %v after the last probe", passed)
			}
			for i := range members {
				members[i].idle += period
			}
			o = judge(members, o, noon.Add(passed))
		}
	})
}
