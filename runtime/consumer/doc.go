// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package consumer takes the messages of a RocketMQ consumer group to a handler and acts on what the handler says.
//
// # What it is for
//
// A group's members divide the queues of a topic among themselves. Here a queue has exactly one owner at a time, so that members can join and leave
// without a message being handled twice; a message whose third party is down waits in the broker, without an attempt being counted; and a message
// leaves the queue only when its outcome is safe: done, sent back, or written to the dead letters.
//
// # How it works
//
//	             ┌────────────── membership ──────────────┐      one goroutine: who is there, what falls to us
//	             │ heartbeat · members · allocate · locks │
//	             └──┬── takes ──────────────── releases ──┘
//	                ▼                             ▲
//	broker ──pull──▶ queue ──▶ dispatcher ──▶ hands ──▶ Handler         fetch: a goroutine of each queue
//	   ▲              window     fence, gate     │
//	   │              ▲  │                       ▼
//	   └── commit ◀───┼──┘ lowest unfinished   Outcome: pass · send back · dead letter · park
//	                  └──────────────────────────┘
//
// Membership (loop.go, claim.go, member.go, route.go, link.go). Members register by heartbeat with every broker of the topic, look at each other
// through the brokers' lists, and divide the queues by the algorithm of the Java and Go clients (allocate.go). A queue that falls to us is taken by
// the broker's lock on it, and only then read from the group's committed offset.
//
// Flow (fetch.go, doubt.go, illegal.go, jump.go, clock.go, window.go, lane.go, order.go, memory.go, dispatch.go). Each queue has a window of messages that are not committed; pulls stop when it is full. The dispatcher, with
// the package's one lock, hands messages of all windows out in turn, and notes their ends. What is committed (commit.go) is the lowest unfinished
// offset. Where order is kept, messages of one key form a lane: only its lowest is handed out.
//
// Crashes (suspect.go, lastrun.go). What is in flight is noted in a journal that outlives the process. What was in flight when it died is run alone; what it died on
// three times is a dead letter, and so is what it died on twice, if another member has marked it at the broker as what it runs for the third time.
//
// Outcomes (conclude.go, retry.go, rest.go, deadletter.go, park.go). Done passes. Retry is sent back to a delay level of the broker, or, where order is
// kept, rests in its lane, holding no hand. Dead and Expired are written to
// the dead letters with their reason. Park closes the gate: nothing is handed out until Resume, then one message as a probe, then everything.
//
// Suspension (suspend.go). On somebody's word nothing is fetched or begins; queues stay ours, and offsets are committed on.
//
// Giving up (sweep.go). What waits, parked or not, can be ended without being handed out.
//
// In Pull mode who embeds the consumer asks for batches, and may move the position (pull.go, seek.go).
//
// Handing over (release.go) is one path for a rebalance and for the stop: what was started ends, the position is committed, the lock given back.
//
// # Invariants
//
//   - A handler starts and an offset is committed only while the queue is covered: its lock was confirmed less than 40 s ago (the broker frees it after
//     60 s) over a connection that has not broken since.
//   - A queue goes on from what is in memory only if nobody else can have had it since: a member that was away for more than 3 s, or whose lock is older
//     than 40 s, compares the group's offset with its own last commit first, and reads a queue anew that has moved on.
//   - The lock is given back only after the last commit was answered. A queue whose lock was lost is dropped without a commit.
//   - Nothing that was finished is left behind something unfinished when a queue is handed over: everything up to the highest message started runs
//     before the last commit. Exception: parked messages, those that rest until their next attempt, what was swept, and what Config.Grace cuts short.
//   - Messages of one key and queue are handled one after the other, in the order of their offsets, if Config.OrderKey is given. What comes again after a
//     crash begins at the committed offset, and is in order again.
//   - What comes again after a crash is at most Config.MaxUncommitted for each queue. What is in memory is at most Config.MaxBytes, and one pull of
//     each queue (memory.go).
//   - A newcomer, or a member that was away for more than 3 s, takes no lock for 400 ms after its heartbeat; locks of the dead are freed only within
//     300 ms of a look at the members.
//   - Of n members at most 2n + 1 die of a message in all: one three times, all others twice.
//   - Beside a message that was in flight at a death, and is not finished since, nothing runs but what waits for a broker that does not take its outcome.
//   - No call is made with a lock held; the lock that one commit at a time needs is a channel.
//
// # Limits
//
//   - At least once: a message that was sent back, or handled, comes again if the process dies before the commit.
//   - At most 128 members of one group.
//   - A process that hangs with its connections open keeps its queues until the broker forgets it after 120 s; a liveness probe has to end it: Stuck
//     tells it of a loop that hangs.
//   - A member that is killed while a broker, a busy one, has a heartbeat of it before it may stay listed for 120 s: brokers forget a connection at once, and then
//     register whose heartbeat came over it.
//   - Locks are at the master: where it is away nothing is consumed.
//   - A member that is cut off, or frozen, while another takes its queues may still be running handlers that it started before. Their fence (package fence)
//     keeps them from calls they have not begun; those under way overlap.
//   - A newcomer that joins in the moment a broker comes back may take queues before their holder has returned: what that one had finished and not
//     committed comes again.
//   - That our clock differs from a broker's is seen in messages stored while we look: not in a backlog, nor where nothing comes.
//   - A mark that a broker loses, since it was killed within 5 s, or that another message's takes the place of, one of 1024, lets one member more die a third time.
//   - A mark stands while its run lasts. Where the queue is lost meanwhile, or is handed over though the handler ignores that it was cancelled, or the broker cannot be told
//     until we stop, a message that is survived is a dead letter all the same if the next owner had died of it twice. It takes four deaths, two of them alone: a mark that ended
//     whatever bears it would take two, and one that is void unless its maker has died would have to wait for a pod that may never come back.
//   - Messages that a broker has deleted and still counts are not told from those that do not match, where a subscription selects and others match; and those that
//     it compacted (cleanup.policy=COMPACTION) are told as deleted.
//   - A dead letter too large for the broker with its reason, even compressed, is copied by the broker without one.
//   - Where order is kept attempts are counted here, and anew when the queue moves. What may have been handled before is marked (doubt.go), by our own
//     MaxUncommitted: a former owner with a larger one may have had more. A message that is tried again and again holds back its queue's
//     offset, so that once Config.MaxUncommitted messages lie beyond it, other keys wait too.
//   - A Broadcasting consumer (broadcast.go) tries nothing again, and begins at the end of its queues whenever its process does: what was sent while it did not
//     run it never gets. A queue that leaves the route for a while is read on from where it was left.
package consumer
