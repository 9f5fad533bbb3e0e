// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// store keeps a message as the next of its queue, and wakes the pulls that wait.
func (b *Broker) store(t *topic, id int, m rocketmq.Message) *rocketmq.Message {
	m.Topic = t.config.Name
	m.Queue = rocketmq.Queue{Topic: t.config.Name, Broker: b.id, ID: id}
	m.Offset = t.max(id)
	m.PhysicalOffset = b.physical
	m.Stored = time.Now().Add(b.cluster.ahead).UnixMilli()
	m.StoreHost = b.storeHost()
	b.physical += int64(len(rocketmq.AppendMessage(nil, &m)))
	b.log[m.PhysicalOffset] = &m
	t.queues[id] = append(t.queues[id], &m)
	close(t.changed)
	t.changed = make(chan struct{})
	return &m
}

// born is a message as it arrives.
func born(q call, body []byte, flag int32, properties string) rocketmq.Message {
	m := rocketmq.Message{Born: q.int64("g"), Flag: flag, SysFlag: int32(q.int("f")), Body: body, Reconsumed: q.int("j")}
	if addr, ok := q.session.conn.RemoteAddr().(*net.TCPAddr); ok {
		m.BornHost = netip.AddrPortFrom(addr.AddrPort().Addr().Unmap(), addr.AddrPort().Port())
	}
	m.SetProperties(properties)
	return m
}

// target is the topic and the queue a message is sent to.
func (b *Broker) target(q call) (*topic, int, answer) {
	name, id := q.Fields.Get("b"), q.int("e")
	t := b.topics[name]
	switch {
	case t == nil:
		return nil, 0, refuse(rocketmq.CodeTopicNotExist, "topic[%s] not exist, apply first please!", name)
	case t.config.Perm&rocketmq.PermWrite == 0:
		return nil, 0, refuse(rocketmq.CodeNoPermission, "the topic[%s] sending message is forbidden", name)
	case id < 0 || id >= t.config.WriteQueues:
		return nil, 0, refuse(rocketmq.CodeSystemError, "request queueId[%d] is illegal", id)
	}
	return t, id, answer{}
}

func stored(m *rocketmq.Message, ids string) answer {
	return answer{fields: rocketmq.Fields{
		{Name: "msgId", Value: ids},
		{Name: "queueId", Value: strconv.Itoa(m.Queue.ID)},
		{Name: "queueOffset", Value: strconv.FormatInt(m.Offset, 10)},
	}}
}

func (b *Broker) send(q call) answer {
	t, id, a := b.target(q)
	if t == nil {
		return a
	}
	m := born(q, q.Body, int32(q.int("h")), q.Fields.Get("i"))
	if group, retry := strings.CutPrefix(t.config.Name, rocketmq.RetryTopic("")); retry && b.keepsOrder(group) {
		kept := b.store(b.groupTopic(rocketmq.DeadLetterTopic(group), 1), 0, m)
		return stored(kept, kept.ID())
	}
	if m.Property(rocketmq.PropertyTransaction) == "true" {
		return b.storeHalf(t, id, m)
	}
	level, _ := strconv.Atoi(m.Property(rocketmq.PropertyDelayLevel))
	if level > 0 {
		b.storeLater(t.config.Name, id, m, level)
		return stored(&m, "")
	}
	kept := b.store(t, id, m)
	return stored(kept, kept.ID())
}

// keepsOrder reports whether the broker takes the group for one that keeps order: since it holds locks. Such a one has no retries.
func (b *Broker) keepsOrder(group string) bool {
	for key, l := range b.locks {
		if key.group == group && time.Since(l.since) < b.cluster.cfg.LockExpiry {
			return true
		}
	}
	return false
}

func (b *Broker) sendBatch(q call) answer {
	t, id, a := b.target(q)
	if t == nil {
		return a
	}
	var first *rocketmq.Message
	var ids []string
	for body := q.Body; len(body) > 0; {
		m, size := batched(q, body)
		if size == 0 {
			return refuse(rocketmq.CodeMessageIllegal, "the batch cannot be read")
		}
		kept := b.store(t, id, m)
		if first == nil {
			first = kept
		}
		ids = append(ids, kept.ID())
		body = body[size:]
	}
	if first == nil {
		return refuse(rocketmq.CodeMessageIllegal, "the batch is empty")
	}
	return stored(first, strings.Join(ids, ","))
}

// batched reads the first message of a batch; its size is 0 if it cannot.
func batched(q call, b []byte) (rocketmq.Message, int) {
	be := binary.BigEndian
	if len(b) < 22 {
		return rocketmq.Message{}, 0
	}
	size, body := int(be.Uint32(b)), int(be.Uint32(b[16:]))
	if size > len(b) || 22+body > size {
		return rocketmq.Message{}, 0
	}
	properties := int(be.Uint16(b[20+body:]))
	if 22+body+properties != size {
		return rocketmq.Message{}, 0
	}
	return born(q, b[20:20+body], int32(be.Uint32(b[12:])), string(b[22+body:size])), size
}

// storeLater stores a message when the delay of its level is over, and meanwhile
// where all wait.
func (b *Broker) storeLater(name string, id int, m rocketmq.Message, level int) {
	levels := b.cluster.cfg.DelayLevels
	level = min(level, len(levels))
	delay := levels[level-1]
	b.store(b.delayTopic(), level-1, later(m, name))
	b.cluster.served.Go(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-b.cluster.elapsed:
		case <-b.cluster.ctx.Done():
			return
		}
		b.cluster.mu.Lock()
		defer b.cluster.mu.Unlock()
		b.delivered[level]++
		if t := b.topics[name]; t != nil {
			b.store(t, id, m)
		}
	})
}

// later is a message as it waits.
func later(m rocketmq.Message, topic string) rocketmq.Message {
	properties := rocketmq.Fields{{Name: rocketmq.PropertyRealTopic, Value: topic}}
	for n, v := range m.Properties() {
		properties = append(properties, rocketmq.Field{Name: n, Value: v})
	}
	encoded, _ := rocketmq.EncodeProperties(properties) // they came encoded
	m.SetProperties(encoded)
	return m
}

// delayTopic is no topic that a name server lists.
func (b *Broker) delayTopic() *topic {
	t := b.topics[rocketmq.DelayTopic]
	if t == nil {
		queues := len(b.cluster.cfg.DelayLevels)
		t = newTopic(rocketmq.TopicConfig{Name: rocketmq.DelayTopic, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite})
		b.topics[rocketmq.DelayTopic] = t
	}
	return t
}

func (b *Broker) delayOffsets(call) answer {
	return answerJSON(map[string]any{"offsetTable": b.delivered})
}

// firstRetryLevel is the delay level of the first retry when the client leaves
// the choice to the broker.
const firstRetryLevel = 3

func (b *Broker) sendBack(q call) answer {
	name := q.Fields.Get("group")
	group, ok := b.groups[name]
	if !ok {
		return refuse(rocketmq.CodeGroupNotExist, "subscription group not exist, %s", name)
	}
	original := b.log[q.int64("offset")]
	if original == nil {
		return refuse(rocketmq.CodeSystemError, "look message by offset failed, %d", q.int64("offset"))
	}
	m := *original
	m.Reconsumed++
	properties := rocketmq.Fields{}
	for n, v := range m.Properties() {
		if n != rocketmq.PropertyDelayLevel {
			properties = append(properties, rocketmq.Field{Name: n, Value: v})
		}
	}
	for _, p := range (rocketmq.Fields{{Name: rocketmq.PropertyRetryTopic, Value: original.Topic}, {Name: rocketmq.PropertyOriginID, Value: original.ID()}}) {
		if properties.Get(p.Name) == "" { // kept from the first time
			properties = append(properties, p)
		}
	}
	encoded, err := rocketmq.EncodeProperties(properties)
	if err != nil {
		return refuse(rocketmq.CodeMessageIllegal, "%v", err)
	}
	m.SetProperties(encoded)
	level := q.int("delayLevel")
	if level < 0 || original.Reconsumed >= q.int("maxReconsumeTimes") {
		b.store(b.groupTopic(rocketmq.DeadLetterTopic(name), 1), 0, m)
		return answer{}
	}
	if level == 0 {
		level = firstRetryLevel + original.Reconsumed
	}
	t := b.groupTopic(rocketmq.RetryTopic(name), group.RetryQueues)
	b.storeLater(t.config.Name, rand.IntN(max(1, min(group.RetryQueues, t.config.WriteQueues))), m, level)
	return answer{}
}

// pull waits for messages as long as the request allows.
func (b *Broker) pull(q call) answer {
	wait := time.Duration(0)
	if q.int("sysFlag")&2 != 0 {
		wait = time.Duration(q.int64("suspendTimeoutMillis")) * time.Millisecond
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for over := wait == 0; ; {
		b.cluster.mu.Lock()
		a, changed := b.tryPull(q)
		b.cluster.mu.Unlock()
		if a.code != rocketmq.CodePullNotFound || over {
			return a
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-q.session.done:
			return answer{}
		}
	}
}

// tryPull answers a pull with what there is; changed is closed when there is
// more.
func (b *Broker) tryPull(q call) (a answer, changed <-chan struct{}) {
	group, name, id := q.Fields.Get("consumerGroup"), q.Fields.Get("topic"), q.int("queueId")
	if _, ok := b.groups[group]; !ok {
		return refuse(rocketmq.CodeGroupNotExist, "subscription group [%s] does not exist", group), nil
	}
	t := b.topics[name]
	switch {
	case t == nil:
		return refuse(rocketmq.CodeTopicNotExist, "topic[%s] not exist, apply first please!", name), nil
	case t.config.Perm&rocketmq.PermRead == 0:
		return refuse(rocketmq.CodeNoPermission, "the topic[%s] pulling message is forbidden", name), nil
	case id < 0 || id >= t.config.ReadQueues:
		return refuse(rocketmq.CodeInvalidParameter, "queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d]", id, name, t.config.ReadQueues), nil
	}
	subscription := rocketmq.Subscription{Expression: q.Fields.Get("subscription"), Type: rocketmq.ExpressionType(q.Fields.Get("expressionType"))}
	if a := b.refusal(subscription); a.code != rocketmq.CodeOK {
		return a, nil
	}
	messages, offset := t.queues[id], q.int64("queueOffset")
	least, end := t.mins[id], t.max(id)
	answered := func(code rocketmq.Code, next int64, body []byte) (answer, <-chan struct{}) {
		return answer{code: code, body: body, fields: rocketmq.Fields{
			{Name: "suggestWhichBrokerId", Value: "0"},
			{Name: "nextBeginOffset", Value: strconv.FormatInt(next, 10)},
			{Name: "minOffset", Value: strconv.FormatInt(least, 10)},
			{Name: "maxOffset", Value: strconv.FormatInt(end, 10)},
		}}, t.changed
	}
	of := reset{rocketmq.GroupTopic{Group: group, Topic: name}, id}
	to, pending := b.resets[of]
	switch {
	case pending:
		delete(b.resets, of)
		return answered(rocketmq.CodeOffsetMoved, to, nil)
	case offset < least || offset > end:
		return answered(rocketmq.CodeOffsetMoved, min(max(offset, least), end), nil)
	case offset == end:
		return answered(rocketmq.CodePullNotFound, offset, nil)
	}
	tags := subscription.Tags()
	var body []byte
	next, found := offset, 0
	for ; next < end && found < min(max(q.int("maxMsgNums"), 1), b.cluster.cfg.MaxPull); next++ {
		m := messages[next]
		if next < t.holes[id] {
			continue
		}
		if len(tags) > 0 && !slices.Contains(tags, m.Property(rocketmq.PropertyTags)) {
			continue
		}
		longer := rocketmq.AppendMessage(body, m)
		if found > 0 && len(longer) > b.cluster.cfg.MaxPullBytes {
			break
		}
		body = longer
		found++
	}
	if found == 0 {
		a, changed = answered(rocketmq.CodePullRetry, next, nil)
		if a.remark = "NO_MATCHED_MESSAGE"; offset < t.holes[id] {
			a.remark = "MESSAGE_WAS_REMOVING"
		}
		return a, changed
	}
	return answered(rocketmq.CodeOK, next, body)
}
