// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
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

func TestLocksAreRenewedHoweverOftenTheLoopIsWoken(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		for begun := time.Now(); time.Since(begun) < 75*time.Second; time.Sleep(time.Second) {
			for range 20 {
				x.members.poke()
				time.Sleep(10 * time.Millisecond)
			}
			for _, q := range w.queues {
				if got := w.lockedBy(q); got != x.members.lock() {
					t.Fatalf("%v after the start %v is locked by %q", time.Since(begun), q, got)
				}
			}
		}
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
		if beats := len(w.fake.Calls(rocketmq.OpHeartbeat)); beats < 7 || beats > 10 {
			t.Errorf("%d heartbeats in 75 s, want one every 10 s", beats)
		}
	})
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

func TestAMemberThatWasAwaySettlesBeforeItConfirmsItsLocks(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		elapse(time.Second)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpHeartbeat, Code: rocketmq.CodeSystemBusy})
		x.cut()
		elapse(memberGrace + 2*time.Second)
		w.fake.Heal()
		back := time.Now()
		w.eventually("the queues to be confirmed", 10*time.Second, func() bool {
			_, intact := x.dispatch.generation(x.members.links[0])
			return intact
		})
		calls := w.fake.Calls(0)
		beat := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpHeartbeat && !c.At.Before(back) })
		lock := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpLock && !c.At.Before(back) })
		if beat < 0 || lock < 0 || calls[lock].At.Sub(calls[beat].At) < settle {
			t.Errorf("confirmed its locks %v after its heartbeat, want %v", calls[lock].At.Sub(calls[beat].At), settle)
		}
	})
}

func TestNothingStartsBetweenABrokenConnectionAndItsConfirmation(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		stop := w.produce(200)
		x := w.join("one", taking(10*time.Millisecond))
		w.eventually("messages", 10*time.Second, func() bool { return w.ledger.tally().starts > 100 })
		w.fake.Inject(fake.Fault{Op: rocketmq.OpHeartbeat, Code: rocketmq.CodeSystemBusy})
		x.cut()
		cut := time.Now()
		elapse(2 * time.Second)
		healed := time.Now()
		w.fake.Heal()
		elapse(2 * time.Second)
		w.awaitHandled(stop(), 20*time.Second)
		for _, e := range w.ledger.all() {
			if e.started.After(cut) && e.started.Before(healed) {
				t.Fatalf("a message started %v after the connection broke", e.started.Sub(cut))
			}
		}
		for _, call := range w.fake.Calls(rocketmq.OpCommitOffset) {
			if call.At.After(cut) && call.At.Before(healed) {
				t.Fatalf("an offset was committed %v after the connection broke", call.At.Sub(cut))
			}
		}
		if got := w.ledger.tally(); got.duplicates != 0 {
			t.Errorf("%+v, want no duplicates", got)
		}
	})
}

func TestConnectionsThatBreakMoveNoQueue(t *testing.T) { inBubble(t, 1, 8, cuts) }

// cuts breaks the connections of each of two members three times.
func cuts(t *testing.T, w *world) {
	stop := w.produce(200)
	busy := between(time.Millisecond, 30*time.Millisecond)
	one, two := w.join("one", busy), w.join("two", busy)
	w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
	elapse(time.Second) // what the first had before the second came
	settled := time.Now()
	for range 3 {
		one.cut()
		elapse(time.Second)
		two.cut()
		elapse(time.Second)
	}
	w.awaitHandled(stop(), time.Minute)
	if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(settled) != 0 {
		t.Errorf("%+v, hand-over %v; want no duplicates and no queue moved", got, w.ledger.handover(settled))
	}
}

func TestHoldersKeepTheirQueuesThroughABrokersRestart(t *testing.T) {
	inBubble(t, 1, 8, func(t *testing.T, w *world) {
		one, two := w.join("one", between(time.Millisecond, 30*time.Millisecond)), w.join("two", between(time.Millisecond, 30*time.Millisecond))
		w.eventually("both to have their share", 10*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
		w.fill(500)
		elapse(100 * time.Millisecond)
		w.fake.Broker().Stop()
		two.lockOut(true)
		elapse(17 * time.Second)
		w.must(w.fake.Broker().Start())
		back := time.Now()
		w.eventually("the first to be back", 10*time.Second, func() bool { return one.Snapshot().Ready && w.lockedBy(w.queues[0]) != "" })
		two.lockOut(false) // the broker has forgotten its locks
		w.eventually("both to go on", 10*time.Second, func() bool {
			return one.Snapshot().Ready && two.Snapshot().Ready && w.ledger.tally().unique == 500
		})
		t.Logf("went on within %v", time.Since(back))
		w.awaitHandled(500, 10*time.Second)
		if got := w.ledger.tally(); got.duplicates != 0 || got.twoOwners != 0 || w.ledger.handover(time.Time{}) != 0 {
			t.Errorf("%+v, hand-over %v; want no duplicates and no queue moved", got, w.ledger.handover(time.Time{}))
		}
	})
}

func TestABrokerThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	inBubble(t, 2, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Host: "broker-b", Hang: true})
		elapse(10 * time.Second) // it is noticed once
		last := time.Now()
		elapse(30 * time.Second)
		looks := 0
		for _, call := range w.fake.Calls(rocketmq.OpMembers) {
			if call.Host != "broker-a" || call.At.Before(last) {
				continue
			}
			if gap := call.At.Sub(last); gap > watchPeriod+hurry {
				t.Errorf("%v passed between two looks at the members of the other broker", gap)
			}
			last = call.At
			looks++
		}
		if looks == 0 || x.owns() != 8 {
			t.Errorf("%d looks, %d queues; want a member that holds all 8", looks, x.owns())
		}
		w.fake.Heal()
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
	})
}

func TestTheQueuesOfABrokerThatIsAwayAreNotGivenUp(t *testing.T) {
	inBubble(t, 2, 4, func(t *testing.T, w *world) {
		x := w.join("one", between(time.Millisecond, 30*time.Millisecond))
		w.awaitOwner(x)
		w.fill(500)
		elapse(100 * time.Millisecond)
		away := w.fake.Brokers()[1]
		away.Stop()
		elapse(routePeriod + 10*time.Second) // the route has been read without it
		for _, q := range x.Snapshot().Queues {
			if q.Releasing {
				t.Errorf("%v is being given up although its last commit cannot arrive", q.Queue)
			}
		}
		if x.owns() != 8 {
			t.Errorf("owns %d queues, want all 8", x.owns())
		}
		w.must(away.Start())
		w.awaitHandled(500, 20*time.Second)
		if got := w.ledger.tally(); got.duplicates != 0 {
			t.Errorf("%+v, want no duplicates", got)
		}
	})
}

func TestAQueueTakenByAnotherIsDroppedWithoutACommit(t *testing.T) {
	inBubble(t, 1, 1, func(t *testing.T, w *world) {
		release := make(chan struct{})
		x := w.join("one", handlerWaiting(release))
		w.fill(10)
		w.eventually("messages in flight", 10*time.Second, func() bool { return x.Snapshot().InFlight == 10 })
		q := w.queues[0]
		w.must(w.client.Unlock(w.ctx(), w.masters[q.Broker], w.group, x.members.lock(), []rocketmq.Queue{q}))
		_, err := w.client.Lock(w.ctx(), w.masters[q.Broker], w.group, "another", []rocketmq.Queue{q})
		w.must(err)
		w.must(w.client.CommitOffset(w.ctx(), w.masters[q.Broker], w.group, q, 7))
		elapse(beatPeriod + time.Second)
		close(release)
		elapse(5 * time.Second)
		offset, err := w.client.QueryOffset(w.ctx(), w.masters[q.Broker], w.group, q)
		w.must(err)
		if offset != 7 {
			t.Errorf("the committed offset is %d, want the new owner's 7", offset)
		}
	})
}

func TestALockIsGivenBackOnlyAfterTheLastCommitWasAnswered(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", taking(50*time.Millisecond))
		w.awaitOwner(x)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Delay: 2 * time.Second})
		slow := time.Now()
		w.fill(256)
		elapse(100 * time.Millisecond)
		x.leave()
		calls := w.fake.Calls(0)
		unregistered := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Op == rocketmq.OpUnregister })
		freed := 0
		for i, call := range calls {
			if call.Op != rocketmq.OpUnlock {
				continue
			}
			_, queues := lockedQueues(t, call)
			if strings.HasPrefix(queues[0].Topic, "%OWN%") {
				continue // the slot
			}
			freed++
			if i > unregistered {
				t.Errorf("%v was given back after we had left the group", queues)
			}
			for _, commit := range calls {
				last := commit.Op == rocketmq.OpCommitOffset && !commit.At.Before(slow) && commit.Fields.Get("queueId") == strconv.Itoa(queues[0].ID) && commit.Fields.Get("topic") == queues[0].Topic
				if last && call.At.Sub(commit.At) < 2*time.Second {
					t.Errorf("%v was given back %v after its commit was sent, before the answer", queues, call.At.Sub(commit.At))
				}
			}
		}
		if freed != 5 {
			t.Errorf("%d queues were given back, want all 5", freed)
		}
		if got := w.ledger.tally(); w.committed() != got.starts {
			t.Errorf("%d messages were handled and %d committed", got.starts, w.committed())
		}
	})
}

func TestALastCommitThatFailsIsRepeatedBeforeTheLockIsGivenBack(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", taking(50*time.Millisecond))
		w.awaitOwner(x)
		w.fill(256)
		elapse(20 * time.Millisecond)
		w.fake.Inject(fake.Fault{Op: rocketmq.OpCommitOffset, Code: rocketmq.CodeSystemError, Times: 10})
		x.leave()
		if got := w.ledger.tally(); w.committed() != got.starts {
			t.Errorf("%d messages were handled and %d committed", got.starts, w.committed())
		}
	})
}

func TestAfterACrashOfAllMembersNewOnesTakeOver(t *testing.T) {
	inBubble(t, 1, 8, func(t *testing.T, w *world) { massCrash(t, w, memberGrace+time.Second) })
}

// massCrash kills all members and starts others under new names.
func massCrash(t *testing.T, w *world, patience time.Duration) {
	one, two := w.join("one", taking(5*time.Millisecond)), w.join("two", taking(5*time.Millisecond))
	w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == 4 && two.owns() == 4 })
	one.kill()
	two.kill()
	begun := time.Now()
	three, four := w.join("three", done), w.join("four", done)
	w.eventually("the new ones to have their share", patience, func() bool { return three.owns() == 4 && four.owns() == 4 })
	t.Logf("took over within %v", time.Since(begun))
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

func TestAMemberWhoseSlotWasTakenMeanwhileDropsEverythingAndJoinsAnew(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		x := w.join("one", done)
		w.awaitOwner(x)
		before := x.Snapshot().ClientID
		slot := rocketmq.Queue{Topic: slotTopic(w.group), Broker: "broker-a", ID: slotOf(before)}
		w.must(w.client.Unlock(w.ctx(), w.masters["broker-a"], w.group, "one", []rocketmq.Queue{slot})) // as by expiry
		_, err := w.client.Lock(w.ctx(), w.masters["broker-a"], w.group, "another", []rocketmq.Queue{slot})
		w.must(err)
		w.eventually("another slot", beatPeriod+5*time.Second, func() bool { return x.Snapshot().ClientID != before })
		w.fill(100)
		w.awaitHandled(100, 10*time.Second)
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

func TestConsumingGoesOnWithoutANameServer(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.awaitOwner(w.join("one", done))
		w.fake.Inject(fake.Fault{Host: "namesrv", Cut: true})
		elapse(2 * time.Minute)
		w.fill(100)
		w.awaitHandled(100, time.Second)
	})
}

func TestAQueueWithoutACommittedOffsetIsHeldAndReported(t *testing.T) {
	inBubble(t, 1, 4, func(t *testing.T, w *world) {
		w.group += "_unseeded"
		w.must(w.client.PutGroup(w.ctx(), w.masters["broker-a"], rocketmq.NewGroupConfig(w.group)))
		w.fill(100)
		o := &noting{}
		x := w.join("one", done, o.observe)
		elapse(time.Minute)
		if got := w.ledger.tally(); got.starts != 0 {
			t.Fatalf("%d messages were handled from offsets nobody committed", got.starts)
		}
		for _, q := range x.Snapshot().Queues {
			if !q.OffsetMissing {
				t.Errorf("the snapshot does not say that the offset of %v is missing", q.Queue)
			}
		}
		if n := o.count("OffsetMissing"); n < 5*10 {
			t.Errorf("told %d times in a minute that 5 offsets are missing", n)
		}
		w.seed(w.queues...)
		w.awaitHandled(100, missingPause+time.Second)
	})
}
