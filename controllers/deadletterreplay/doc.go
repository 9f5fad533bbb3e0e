// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package deadletterreplay gives dead letters back to their group, and to that one group: the broker is asked to put them into its retry topic, with the
// message's original ids, so that every step asks with the idempotency keys it asked with before.
//
//	start ─▶ ends of the queues noted ─▶ batch ─▶ … ─▶ batch ─▶ done: matched = resent + skipped
//
//	batch    pull ─▶ select, judge ─▶ "resending" noted ─▶ send ─▶ "resent" noted ─▶ how far ─▶ after batch/rate the next
//	           └─ after a death: search the retry topic ─▶ what is not there ─┘
//
// A reconcile makes one batch. The record of outcomes, in ConfigMaps the replay owns, is what is true: counts are read from it, and a letter that is in it is
// not looked at again. So nothing is lost when the manager dies between two writes. Where a ConfigMap is gone the replay stalls: it would not know what was sent.
//
// # Not obvious
//
//   - A message that is written to a retry topic goes to the dead letters, while a member of the group holds a lock: the broker takes the group for one that
//     keeps order. So the dead letter itself is sent back, which brokers do in any case, after the first of their delay levels.
//   - What was noted as "resending" when the manager died, or when a broker did not answer, was sent or not. The retry topic tells, once no send of the batch can
//     be under way (sendTime) and what was sent is seen (appears: the first of the broker's delay levels, and some). From the offsets that were noted with it, all
//     queues of the topic are searched. What is not found is noted anew, and sent again. A send that arrives after that search makes a message come twice: at most a batch of them for each death, with the same
//     idempotency keys.
//   - A search ends at the offsets the queues had when it began, and is written down where it stands: it ends, however much is retried meanwhile.
//   - What a broker deletes before it was looked at is counted: a queue's offsets, less the letters that were read, less those that are still there. A queue that
//     ends sooner than it did has lost its end, as when its topic was made anew: the replay ends where the queue does.
//   - Replays of a group run one after another. What an earlier one gave back is told by its record and by the ends it noted: a letter beyond them is of a death
//     after it.
//   - The dead letters that exist when a replay begins are its all: those its own messages end as are not replayed by it.
//   - The time a message was born is in its dead letter, and workers go by it: it expires as it would have. Its attempt is the second, whatever it had.
//   - Where the time for which a third party remembers keys is over, nothing is sent, unless duplicates are accepted, or the worker asks first (statusQuery).
//   - Objects and records are read from the API server: a cache may be behind what the last batch wrote.
//
// Limits: 5000 dead letters for one replay, whose record is ten ConfigMaps. In an Orderly group, letters of a
// broker come back in the order in which they died, after what was handled meanwhile.
package deadletterreplay
