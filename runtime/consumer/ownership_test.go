// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// lockedQueues are the queues a lock or unlock names, and the name it is for.
func lockedQueues(t testing.TB, call fake.Call) (owner string, queues []rocketmq.Queue) {
	t.Helper()
	var body struct {
		Owner  string           `json:"clientId"`
		Queues []rocketmq.Queue `json:"mqSet"`
	}
	if err := json.Unmarshal(call.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body.Owner, body.Queues
}

func (w *world) lockedBy(q rocketmq.Queue) string {
	for _, b := range w.fake.Brokers() {
		if b.Name() == q.Broker {
			return b.LockedBy(w.group, q)
		}
	}
	return ""
}

// awaitOwner waits until the member has all queues of the topic open.
func (w *world) awaitOwner(x *member) {
	w.t.Helper()
	w.eventually("one member to own everything", 20*time.Second, func() bool { return x.owns() == len(w.queues) })
}

// stranger registers a member of another process at one broker, with the locks of its slot on queues.
func (w *world) stranger(id string, at string, locks ...rocketmq.Queue) *rocketmq.Client {
	w.t.Helper()
	client := rocketmq.NewClient(rocketmq.Config{DialContext: w.dial})
	w.t.Cleanup(client.Close)
	w.must(client.Heartbeat(w.ctx(), w.masters[at], rocketmq.Heartbeat{ClientID: id, Consumers: []rocketmq.Membership{{
		Group: w.group, Subscriptions: []rocketmq.Subscription{{Topic: w.topic, Version: 1}, {Topic: rocketmq.RetryTopic(w.group), Version: 1}},
	}}}))
	for _, q := range locks {
		_, err := client.Lock(w.ctx(), w.masters[q.Broker], w.group, lockName(w.group, slotOf(id)), []rocketmq.Queue{q})
		w.must(err)
	}
	return client
}

func TestAMemberListedByOneBrokerOnlyIsAlive(t *testing.T) {
	inBubble(t, 2, 4, func(t *testing.T, w *world) {
		// "z" sorts after us: the second half is its own
		theirs := w.queues[4:]
		w.stranger("z#5", "broker-a", theirs...)
		x := w.join("one", done)
		w.eventually("our half", 10*time.Second, func() bool { return x.owns() == 4 })
		elapse(10 * time.Second)
		for _, q := range theirs {
			if got := w.lockedBy(q); got != lockName(w.group, 5) {
				t.Errorf("%v is locked by %q, want the member that only the other broker lists", q, got)
			}
		}
		if x.owns() != 4 {
			t.Errorf("owns %d queues, want its half, 4", x.owns())
		}
	})
}

func TestANewcomerTakesNothingBeforeItHasSettled(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.awaitOwner(w.join("one", done))
		registered := w.fake.Calls(rocketmq.OpHeartbeat)[0].At
		for _, call := range w.fake.Calls(rocketmq.OpLock) {
			_, queues := lockedQueues(t, call)
			if queues[0].Topic == w.topic && call.At.Sub(registered) < settle {
				t.Fatalf("queues were taken %v after the first heartbeat, want %v", call.At.Sub(registered), settle)
			}
		}
	})
}

// deadLocks leaves locks behind, as a member that is gone does.
func (w *world) deadLocks(slot int) {
	w.t.Helper()
	for _, q := range w.queues {
		_, err := w.client.Lock(w.ctx(), w.masters[q.Broker], w.group, lockName(w.group, slot), []rocketmq.Queue{q})
		w.must(err)
	}
}

func TestLocksOfTheDeadAreFreedAfterTheGracePeriod(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.deadLocks(77)
		begun := time.Now()
		w.awaitOwner(w.join("one", done))
		if took := time.Since(begun); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("took %v, want the grace period of 3 s and little more", took)
		}
	})
}

func TestAMemberIsMissingFromTheFirstListWithoutItOn(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }
	c := newCensus(at(0))
	both, alone := []string{"a#1", "b#2", "foreign"}, []string{"a#1"}
	dead := func(d time.Duration) (names []string) {
		for _, name := range c.dead("G", at(d)) {
			if name == "G#1" || name == "G#2" || name == "foreign" {
				names = append(names, name)
			}
		}
		return names
	}
	c.note(both, at(0))
	c.note(both, at(10*time.Second))
	c.note(alone, at(12*time.Second)) // it left between the two
	if got := dead(14900 * time.Millisecond); got != nil {
		t.Errorf("%v are dead less than 3 s after they were first missing", got)
	}
	if got, want := dead(15*time.Second), []string{"G#2", "foreign"}; !slices.Equal(got, want) {
		t.Errorf("%v are dead, want %v", got, want)
	}
	c.note(both, at(16*time.Second))
	if got := dead(16 * time.Second); got != nil {
		t.Errorf("%v are dead although they are listed again", got)
	}
}

func TestAStaleListOfMembersFreesNothing(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.deadLocks(77)
		x := w.join("one", done)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpMembers, Delay: stale})
		elapse(10 * time.Second)
		if unlocks := w.fake.Calls(rocketmq.OpUnlock); len(unlocks) > 0 || x.owns() > 0 {
			t.Fatalf("%d locks were freed on the word of lists %v old", len(unlocks), stale)
		}
		w.fake.Heal()
		w.awaitOwner(x)
	})
}

func TestFreeingTheDeadEndsWithTheListItReliesOn(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.deadLocks(77)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpUnlock, Hang: true})
		x := w.join("one", done)
		elapse(30 * time.Second)
		last := time.Time{}
		for _, call := range w.fake.Calls(rocketmq.OpMembers) {
			if gap := call.At.Sub(last); !last.IsZero() && gap > watchPeriod+stale+hurry {
				t.Errorf("%v passed between two looks at the members", gap)
			}
			last = call.At
		}
		w.fake.Heal()
		w.awaitOwner(x)
	})
}

func TestAQueueThatStaysAnothersIsAskedForMoreSeldom(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		q := w.queues[0]
		_, err := w.client.Lock(w.ctx(), w.masters[q.Broker], w.group, "foreign", []rocketmq.Queue{q})
		w.must(err)
		begun := time.Now()
		x := w.join("one", done)
		elapse(55 * time.Second)
		if n := w.asked(q, begun); n > 160 || n < 50 {
			t.Errorf("asked %d times in 55 s, want often for 5 s, and then once a second, twice if locks of the dead were freed", n)
		}
		w.awaitOwner(x) // when the lock has expired
	})
}

func TestAfterACrashOfAllMembersNewOnesTakeOver(t *testing.T) {
	inEach(t, concurrently(), 8, func(t *testing.T, w *world) {
		one, two := w.pair(taking(5 * time.Millisecond))
		one.kill()
		two.kill()
		begun, patience := time.Now(), standsAtAll
		if w.fake != nil {
			patience = memberGrace + time.Second
		}
		three, four := w.join("three", done), w.join("four", done)
		w.eventually("the new ones to have their share", patience, func() bool { return three.owns() == 4 && four.owns() == 4 })
		t.Logf("took over within %v", time.Since(begun))
	})
}

func TestAMemberThatComesBackUnderItsNameGoesOnAtOnce(t *testing.T) {
	inBubble(t, 1, 8, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		x.kill()
		begun := time.Now()
		w.awaitOwner(w.join("one", done))
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %v, want no wait for the dead", took)
		}
	})
}

func TestNewQueuesAndTopicsThatAppearLateAreConsumed(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.must(w.client.DeleteTopic(w.ctx(), w.masters["broker-a"], w.topic))
		w.fake.Inject(fake.Fault{Op: rocketmq.OpRoute, Cut: true, Times: 10}) // the name server is away too
		x := w.join("one", done)
		elapse(5 * time.Minute)
		w.createTopic(w.masters["broker-a"], w.topic, 4)
		w.awaitOwner(x)
		w.createTopic(w.masters["broker-a"], w.topic, 6)
		for id := 4; id < 6; id++ {
			w.queues = append(w.queues, rocketmq.Queue{Topic: w.topic, Broker: "broker-a", ID: id})
		}
		w.seed(w.queues[4:]...)
		w.eventually("the new queues", routePeriod+2*time.Second, func() bool { return x.owns() == 6 })
	})
}

func TestANameServerThatHangsHoldsUpNeitherMembershipNorLeave(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Host: "namesrv", Hang: true})
		last := time.Now()
		elapse(2*routePeriod + time.Second) // in the midst of an attempt
		for _, call := range w.fake.Calls(rocketmq.OpMembers) {
			if gap := call.At.Sub(last); gap > watchPeriod+hurry {
				t.Errorf("%v passed between two looks at the members", gap)
			}
			last = call.At
		}
		begun := time.Now()
		x.leave()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("left after %v", took)
		}
	})
}

func TestConsumingGoesOnWithoutANameServer(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.awaitOwner(w.join("one", done))
		w.fake.Inject(fake.Fault{Host: "namesrv", Cut: true})
		elapse(2 * time.Minute)
		w.fill(100)
		w.awaitHandled(100, time.Second)
	})
}

func TestOffsetsThatABrokerHasLostAreCommittedAnew(t *testing.T) {
	for name, away := range map[string]time.Duration{"away for a moment": 300 * time.Millisecond, "away for longer": 2 * memberGrace} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, 2, func(t *testing.T, w *world) {
				x := w.join("one", done)
				w.awaitOwner(x)
				w.fill(10)
				w.eventually("all to be committed", 10*time.Second, func() bool { return w.committed() == 10 })
				b := w.fake.Broker()
				w.must(w.client.DeleteGroup(w.ctx(), b.Addr(), w.group, true)) // a broker that is killed comes back without what it had in memory for less than 5 s
				w.must(w.client.PutGroup(w.ctx(), b.Addr(), rocketmq.NewGroupConfig(w.group)))
				b.Stop()
				elapse(away)
				w.must(b.Start())
				elapse(10 * time.Second)
				if n := w.committed(); n != 10 {
					t.Errorf("%d are committed again, want 10", n)
				}
				w.fill(10)
				w.eventually("the rest to be handled", time.Minute, func() bool { return w.committed() == 20 })
				if got := w.ledger.tally(); got.duplicates != 0 {
					t.Errorf("%d messages were handled twice", got.duplicates)
				}
			})
		})
	}
}
