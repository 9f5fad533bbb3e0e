// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"slices"
	"strconv"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// half is a message in a transaction.
type half struct {
	message rocketmq.Message // where its topic and queue are those it becomes visible in
	offset  int64            // among the half messages
	told    bool
}

// producer is one client of a producer group, as long as its connection lives.
type producer struct {
	id      string
	session *session
}

// maxChecks is how often a broker asks, and then drops the message.
const maxChecks = 15

// The bits of sysFlag that say what of a transaction a message is.
const (
	flagHalf      = 0x4
	flagCommitted = 0x8
)

// storeHalf keeps a message where nobody consumes it, and asks about it until it is told.
func (b *Broker) storeHalf(t *topic, id int, m rocketmq.Message) answer {
	m.Topic = t.config.Name
	m.Queue = rocketmq.Queue{Topic: t.config.Name, Broker: b.id, ID: id}
	m.PhysicalOffset, m.Stored, m.StoreHost = b.physical, time.Now().Add(b.cluster.ahead).UnixMilli(), b.storeHost()
	b.physical += int64(len(rocketmq.AppendMessage(nil, &m)))
	h := &half{message: m, offset: int64(len(b.halves))}
	b.halves[m.PhysicalOffset] = h
	b.cluster.served.Go(func() { b.ask(h) })
	a := stored(&m, m.ID())
	a.fields = slices.DeleteFunc(a.fields, func(f rocketmq.Field) bool { return f.Name == "queueOffset" })
	a.fields = append(a.fields,
		rocketmq.Field{Name: "queueOffset", Value: strconv.FormatInt(h.offset, 10)},
		rocketmq.Field{Name: "transactionId", Value: m.Property(rocketmq.PropertyUniqueKey)})
	return a
}

// ask asks the producers of the group in turn.
func (b *Broker) ask(h *half) {
	cfg := b.cluster.cfg
	timer := time.NewTimer(cfg.TransactionTimeout)
	defer timer.Stop()
	for n := range maxChecks {
		select {
		case <-timer.C:
		case <-b.cluster.ctx.Done():
			return
		}
		b.cluster.mu.Lock()
		told := h.told
		members := b.producers[h.message.Property(rocketmq.PropertyProducerGroup)]
		if !told && len(members) > 0 {
			members[n%len(members)].session.send(&rocketmq.Command{Code: int(rocketmq.OpCheckTransaction), Flag: 2, Fields: rocketmq.Fields{
				{Name: "tranStateTableOffset", Value: strconv.FormatInt(h.offset, 10)},
				{Name: "commitLogOffset", Value: strconv.FormatInt(h.message.PhysicalOffset, 10)},
				{Name: "msgId", Value: h.message.Property(rocketmq.PropertyUniqueKey)},
				{Name: "transactionId", Value: h.message.Property(rocketmq.PropertyUniqueKey)},
				{Name: "bname", Value: b.id},
			}, Body: rocketmq.AppendMessage(nil, &h.message)})
		}
		b.cluster.mu.Unlock()
		if told {
			return
		}
		timer.Reset(cfg.CheckInterval)
	}
}

// endTransaction stores the message where it is consumed, or does not; as often as it is told to.
func (b *Broker) endTransaction(q call) answer {
	h := b.halves[q.int64("commitLogOffset")]
	switch {
	case h == nil:
		return refuse(rocketmq.CodeSystemError, "Find prepared transaction message failed")
	case q.Fields.Get("producerGroup") != h.message.Property(rocketmq.PropertyProducerGroup):
		return refuse(rocketmq.CodeSystemError, "The producer group wrong")
	case q.int64("tranStateTableOffset") != h.offset:
		return refuse(rocketmq.CodeSystemError, "The transaction state table offset wrong")
	}
	if h.told = true; rocketmq.Decision(q.int("commitOrRollback")) == rocketmq.Commit {
		t := b.topics[h.message.Topic]
		if t == nil {
			return refuse(rocketmq.CodeTopicNotExist, "topic[%s] not exist", h.message.Topic)
		}
		m := h.message
		m.SysFlag = m.SysFlag&^flagHalf | flagCommitted
		b.store(t, m.Queue.ID, m)
	}
	return answer{}
}

// enter makes the client of a connection one of the producer group.
func (b *Broker) enter(group string, p producer) {
	if !slices.Contains(b.producers[group], p) {
		b.producers[group] = append(b.producers[group], p)
	}
}

// dismiss takes the producers that match out of their group.
func (b *Broker) dismiss(group string, match func(producer) bool) {
	b.producers[group] = slices.DeleteFunc(slices.Clone(b.producers[group]), match)
}

// Producers are the clients of a producer group.
func (b *Broker) Producers(group string) []string {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	var ids []string
	for _, p := range b.producers[group] {
		ids = append(ids, p.id)
	}
	return ids
}
