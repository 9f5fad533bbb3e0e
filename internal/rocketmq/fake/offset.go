// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func offsetAnswer(offset int64) answer {
	return answer{fields: rocketmq.Fields{{Name: "offset", Value: strconv.FormatInt(offset, 10)}}}
}

func groupTopicOf(q call) rocketmq.GroupTopic {
	return rocketmq.GroupTopic{Group: q.Fields.Get("consumerGroup"), Topic: q.Fields.Get("topic")}
}

func (b *Broker) queryOffset(q call) answer {
	if offset, ok := b.offsets[groupTopicOf(q)][q.int("queueId")]; ok {
		return offsetAnswer(offset)
	}
	if q.Fields.Get("setZeroIfNotFound") == "false" {
		return refuse(rocketmq.CodeQueryNotFound, "Not found, do not set to zero, maybe this group boot first")
	}
	return offsetAnswer(0)
}

func (b *Broker) commitOffset(q call) answer {
	of := groupTopicOf(q)
	if b.topics[of.Topic] == nil {
		return refuse(rocketmq.CodeTopicNotExist, "Topic %s not exist!", of.Topic)
	}
	if _, pending := b.resets[reset{of, q.int("queueId")}]; !pending {
		b.keepOffset(of, q.int("queueId"), q.int64("commitOffset"))
	}
	return answer{}
}

func (b *Broker) keepOffset(of rocketmq.GroupTopic, queue int, offset int64) {
	if b.offsets[of] == nil {
		b.offsets[of] = map[int]int64{}
	}
	b.offsets[of][queue] = offset
}

func (b *Broker) maxOffset(q call) answer {
	if t := b.topics[q.Fields.Get("topic")]; t != nil {
		return offsetAnswer(t.max(q.int("queueId")))
	}
	return offsetAnswer(0)
}

func (b *Broker) minOffset(q call) answer {
	if t := b.topics[q.Fields.Get("topic")]; t != nil {
		return offsetAnswer(t.mins[q.int("queueId")])
	}
	return offsetAnswer(0)
}

// Trim deletes what the queue has below an offset, as brokers do with what is older than they keep.
func (b *Broker) Trim(queue rocketmq.Queue, before int64) {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	t := b.topics[queue.Topic]
	t.mins[queue.ID] = min(max(before, t.mins[queue.ID]), t.max(queue.ID))
	maps.DeleteFunc(b.log, func(_ int64, m *rocketmq.Message) bool {
		return m.Queue == queue && m.Offset < t.mins[queue.ID]
	})
}

// Hole makes what the queue has below an offset not be found, though its minimum stays: brokers delete files of messages before they correct their queues.
func (b *Broker) Hole(queue rocketmq.Queue, before int64) {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	b.topics[queue.Topic].holes[queue.ID] = before
}

// opResetOffset is an administrator's request to set a group's offset in one queue.
const opResetOffset rocketmq.Op = 222

// reset is an offset an administrator set, in a queue of which the next pull is told of it. Until then commits are not taken.
type reset struct {
	of    rocketmq.GroupTopic
	queue int
}

func (b *Broker) resetOffset(q call) answer {
	name, id, offset := q.Fields.Get("topic"), q.int("queueId"), q.int64("offset")
	t := b.topics[name]
	if t == nil {
		return refuse(rocketmq.CodeTopicNotExist, "Topic %s does not exist", name)
	}
	if offset < t.mins[id] || offset > t.max(id) {
		return refuse(rocketmq.CodeSystemError, "Target offset %d not in consume queue range [%d-%d]", offset, t.mins[id], t.max(id))
	}
	of := rocketmq.GroupTopic{Group: q.Fields.Get("group"), Topic: name}
	b.keepOffset(of, id, offset)
	b.resets[reset{of, id}] = offset
	return byQueue("offsetTable", map[rocketmq.Queue]int64{{Topic: name, Broker: b.id, ID: id}: offset})
}

func (b *Broker) searchOffset(q call) answer {
	t := b.topics[q.Fields.Get("topic")]
	if t == nil {
		return offsetAnswer(0)
	}
	at := q.int64("timestamp")
	messages := t.queues[q.int("queueId")]
	i := slices.IndexFunc(messages, func(m *rocketmq.Message) bool { return m.Stored >= at })
	if i < 0 {
		i = len(messages)
	}
	return offsetAnswer(int64(i))
}

func (b *Broker) allOffsets(call) answer {
	table := map[string]map[int]int64{}
	for of, queues := range b.offsets {
		table[of.Topic+"@"+of.Group] = queues
	}
	return answerJSON(map[string]any{"offsetTable": table})
}

func (b *Broker) consumeStats(q call) answer {
	group, only := q.Fields.Get("consumerGroup"), q.Fields.Get("topic")
	stats := map[rocketmq.Queue]rocketmq.Progress{}
	for name, t := range b.topics {
		committed, consumed := b.offsets[rocketmq.GroupTopic{Group: group, Topic: name}]
		if only != "" && name != only || only == "" && !consumed {
			continue
		}
		for id := range t.config.ReadQueues {
			p := rocketmq.Progress{BrokerOffset: t.max(id), ConsumerOffset: committed[id]}
			if at := p.ConsumerOffset - 1; at >= 0 && at < p.BrokerOffset {
				p.LastTimestamp = t.queues[id][at].Stored
			}
			stats[rocketmq.Queue{Topic: name, Broker: b.id, ID: id}] = p
		}
	}
	return byQueue("offsetTable", stats)
}

// lockKey is what is locked, lock by whom and since when.
type lockKey struct {
	group string
	queue rocketmq.Queue
}

type lock struct {
	owner string
	since time.Time
}

// lockRequest is the body of requests 41 and 42.
type lockRequest struct {
	Group  string           `json:"consumerGroup"`
	Owner  string           `json:"clientId"`
	Queues []rocketmq.Queue `json:"mqSet"`
}

func (b *Broker) lock(q call) answer {
	var req lockRequest
	if err := json.Unmarshal(q.Body, &req); err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	held := []rocketmq.Queue{}
	for _, queue := range req.Queues {
		key := lockKey{req.Group, queue}
		l, taken := b.locks[key]
		if taken && l.owner != req.Owner && time.Since(l.since) < b.cluster.cfg.LockExpiry {
			continue
		}
		b.locks[key] = lock{req.Owner, time.Now()}
		held = append(held, queue)
	}
	return answerJSON(map[string]any{"lockOKMQSet": held})
}

func (b *Broker) unlock(q call) answer {
	var req lockRequest
	if err := json.Unmarshal(q.Body, &req); err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	for _, queue := range req.Queues {
		key := lockKey{req.Group, queue}
		if b.locks[key].owner == req.Owner {
			delete(b.locks, key)
		}
	}
	return answer{}
}

// LockedBy is who holds the queue for the group, "" if nobody does.
func (b *Broker) LockedBy(group string, queue rocketmq.Queue) string {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	l := b.locks[lockKey{group, queue}]
	if time.Since(l.since) >= b.cluster.cfg.LockExpiry {
		return ""
	}
	return l.owner
}
