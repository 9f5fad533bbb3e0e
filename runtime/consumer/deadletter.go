// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// The properties of a dead letter beside those of its message. RETRY_TOPIC, REAL_TOPIC and ORIGIN_MESSAGE_ID are set as brokers set them.
const (
	// PropertyKind is "dead" or "expired".
	PropertyKind = "ORDERFLOW_KIND"
	// PropertyReason and PropertyDetail say why.
	PropertyReason = rocketmq.PropertyReason
	PropertyDetail = "ORDERFLOW_DETAIL"
	// PropertyAttempts counts how often the message was handed out, the last time included.
	PropertyAttempts = rocketmq.PropertyAttempts
	// PropertyQueue (topic@broker#id) and PropertyOffset are where it was read, PropertyBorn when its sender made it, in milliseconds since 1970.
	PropertyQueue  = "ORDERFLOW_QUEUE"
	PropertyOffset = "ORDERFLOW_OFFSET"
	PropertyBorn   = rocketmq.PropertyBorn

	propertyRealTopic = "REAL_TOPIC"
)

// leftOut are properties a copy must not have: the broker would act on them again, by delaying the copy or by holding it back as half of a transaction.
func leftOut() []string {
	return []string{
		rocketmq.PropertyDelayLevel, "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS", "TIMER_OUT_MS", "TRAN_MSG", "INNER_NUM",
		rocketmq.PropertyRetryTopic, rocketmq.PropertyOriginID, propertyRealTopic,
		PropertyKind, PropertyReason, PropertyDetail, PropertyAttempts, PropertyQueue, PropertyOffset, PropertyBorn,
	}
}

// detailLimit bounds what a dead letter says of its reason, in bytes.
const detailLimit = 512

// deadLetter is the copy of a message that goes to the dead letters: its body, or its raw bytes if it could not be decoded, its properties, and why.
func deadLetter(group string, m *rocketmq.Message, o outcome.Outcome) rocketmq.OutMessage {
	letter := rocketmq.OutMessage{Body: m.Body, Flag: m.Flag}
	if m.Err != nil {
		letter.Body = m.Raw
	}
	drop := leftOut()
	for name, value := range m.Properties() {
		if !slices.Contains(drop, name) {
			letter.Properties = append(letter.Properties, rocketmq.Field{Name: plain(name), Value: plain(value)})
		}
	}
	add := func(name, value string) {
		letter.Properties = append(letter.Properties, rocketmq.Field{Name: name, Value: plain(value)})
	}
	add(rocketmq.PropertyRetryTopic, m.Topic)
	add(propertyRealTopic, rocketmq.RetryTopic(group))
	add(rocketmq.PropertyOriginID, originID(m))
	add(PropertyKind, o.Kind.String())
	add(PropertyReason, string(o.Reason))
	add(PropertyDetail, o.Detail[:min(len(o.Detail), detailLimit)])
	add(PropertyAttempts, strconv.Itoa(m.Reconsumed+1))
	add(PropertyQueue, m.Queue.String())
	add(PropertyOffset, strconv.FormatInt(m.Offset, 10))
	add(PropertyBorn, strconv.FormatInt(m.FirstBorn(), 10))
	return letter
}

// originID is the id a broker gave the message when it was sent first.
func originID(m *rocketmq.Message) string {
	if id := m.Property(rocketmq.PropertyOriginID); id != "" || !m.StoreHost.IsValid() {
		return id
	}
	return m.ID()
}

// plain makes text fit to be a property.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\x01' || r == '\x02' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// bury writes a message to the dead letters with its reason, and waits until the broker has it. While the broker does not take it nothing further is
// started, as if the message had been parked.
//
// A copy the broker finds too large is compressed; if that does not help, the broker is asked to make the copy itself, which then lacks the reason: only
// log and metrics have it.
func (c *Consumer) bury(t task, o outcome.Outcome) verdict {
	letter := deadLetter(c.cfg.Group, t.message, o)
	_, err := rocketmq.EncodeProperties(letter.Properties)
	fits := err == nil
	if fits && t.message.Err == nil && t.message.Compressed() {
		letter.Compress()
	}
	var resume chan struct{}
	v := c.attempt(t, func() error {
		for fits {
			err := c.post(t, letter)
			if !tooLarge(err) {
				return err
			}
			fits = !letter.Compressed && letter.Compress()
		}
		return nil
	}, func(err error) {
		c.cfg.Observer.DeadLetterFailed(err)
		if !t.aside {
			return // it may have been a moment's
		}
		c.cfg.Log.Warn("cannot write a dead letter, starting nothing until it is written", append(where(t.message), "reason", o.Reason, "error", err)...)
		if resume == nil {
			resume = make(chan struct{})
		}
		c.dispatch.park(resume, DeadLetterRefused) // each time: what had parked it before may be over
	})
	if resume != nil {
		close(resume)
	}
	if v != passed || fits {
		return v
	}
	c.cfg.Log.Error("dead letter without its reason: the message leaves no room for it", append(where(t.message), "kind", o.Kind.String(), "reason", o.Reason)...)
	v, _ = c.giveBack(t, rocketmq.SendBackRequest{Group: c.cfg.Group, Message: t.message, DelayLevel: deadLetterLevel, MaxReconsume: 0})
	return v
}

// deadLetterLevel is the delay level that means the dead letters.
const deadLetterLevel = -1

// post stores a dead letter at the broker its message came from.
func (c *Consumer) post(t task, letter rocketmq.OutMessage) error {
	ctx, cancel := c.storing()
	defer cancel()
	result, err := c.client.Send(ctx, t.queue.link.address(), rocketmq.SendRequest{
		Group:    c.cfg.Group,
		Queue:    rocketmq.Queue{Topic: rocketmq.DeadLetterTopic(c.cfg.Group), Broker: t.message.Queue.Broker},
		Messages: []rocketmq.OutMessage{letter},
	})
	if result.ID != "" && err != nil { // stored, less durably than set up
		c.cfg.Log.Warn("dead letter stored with less safety than the broker is set up for", append(where(t.message), "error", err)...)
		return nil
	}
	return err
}

// tooLarge reports whether a dead letter was refused for its size.
func tooLarge(err error) bool {
	var refusal *rocketmq.Error
	return errors.As(err, &refusal) && refusal.Code == rocketmq.CodeMessageIllegal
}
