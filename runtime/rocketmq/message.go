// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"fmt"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// maxBodyBytes is the broker's default maxMessageSize. The library checks nothing and compresses bodies, so a large
	// one would pass the broker and hit every consumer uncompressed.
	maxBodyBytes = 4 << 20
	// maxPropertiesBytes is the broker's limit: the length travels as a signed 16-bit integer. 1 KiB is left for what
	// library and broker add.
	maxPropertiesBytes = 1<<15 - 1 - 1<<10
)

// Message is what is sent to the client's topic.
type Message struct {
	// ID identifies the message to consumers (RocketMQ's UNIQ_KEY), whichever attempt stored it. Default: one is made.
	// Set it, from Client.NewID, when the same message may be sent more than once.
	ID string
	// Keys are business keys, for example the order id, by which the broker indexes the message. No white space.
	Keys []string
	// Tag is what tag subscriptions select by. Default: none.
	Tag string
	// OrderKey keeps the messages that share it in the order in which they were sent: they go to one queue, one after another,
	// each when the broker has confirmed the one before. When one fails, those that wait behind it fail too (ErrOrderBroken),
	// and the sender sends them again in its order. Default: no order. See the package's section on order.
	OrderKey string `json:",omitempty"`
	// Delay says when consumers see the message. Default: at once. Not together with OrderKey.
	Delay Delay `json:",omitzero"`
	// Properties are the user's own. Names that RocketMQ itself uses are refused.
	Properties map[string]string
	// Body is at most 4 MiB.
	Body []byte
}

// Receipt is the broker's confirmation that a message is stored.
type Receipt struct {
	// ID is Message.ID, or the one made for it.
	ID string
	// Broker, Queue and Offset say where the message is.
	Broker string
	Queue  int
	Offset int64
}

// reserved are the property names with a meaning to clients or brokers which a user's property must not take over.
var reserved = map[string]bool{
	primitive.PropertyKeys: true, primitive.PropertyTags: true, primitive.PropertyUniqueClientMessageIdKeyIndex: true,
	primitive.PropertyWaitStoreMsgOk: true, primitive.PropertyDelayTimeLevel: true, primitive.PropertyTimerDeliverMS: true,
	propertyTimerDelayMillis: true, "TIMER_DELAY_SEC": true, primitive.PropertyRetryTopic: true, primitive.PropertyRealTopic: true,
	primitive.PropertyRealQueueId: true, primitive.PropertyTransactionPrepared: true, primitive.PropertyProducerGroup: true,
	primitive.PropertyShardingKey: true, rocketmq.PropertyShardingKey: true, primitive.PropertyOriginMessageId: true, primitive.PropertyReconsumeTime: true,
	primitive.PropertyMaxReconsumeTimes: true, primitive.PropertyMsgType: true,
}

// Validate says why a message can never be sent; nil when it can. The error wraps ErrInvalidMessage.
func (m Message) Validate() error {
	if len(m.Body) == 0 {
		return fmt.Errorf("%w: the body is empty", ErrInvalidMessage)
	}
	if len(m.Body) > maxBodyBytes {
		return fmt.Errorf("%w: the body has %d bytes, RocketMQ takes at most %d; send a reference to large content instead",
			ErrInvalidMessage, len(m.Body), maxBodyBytes)
	}
	if err := m.Delay.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidMessage, err)
	}
	if m.OrderKey != "" && m.Delay != (Delay{}) {
		return fmt.Errorf("%w: a delayed message overtakes and is overtaken: send it without OrderKey, or without Delay", ErrInvalidMessage)
	}
	return m.validateProperties()
}

// validateProperties says why the message's properties, its ID, keys and tag among them, cannot be sent.
func (m Message) validateProperties() error {
	if strings.ContainsAny(m.OrderKey, "\x01\x02") {
		return fmt.Errorf("%w: the order key has a control character (1 or 2) that separates properties", ErrInvalidMessage)
	}
	size := len(m.ID) + len(m.Tag) + len(m.OrderKey)
	for _, key := range m.Keys {
		if key == "" || strings.ContainsFunc(key, isSeparator) {
			return fmt.Errorf("%w: key %q is empty or has white space or control characters, which separate keys",
				ErrInvalidMessage, key)
		}
		size += len(key) + 1
	}
	if strings.ContainsFunc(m.ID, isSeparator) || strings.ContainsFunc(m.Tag, isSeparator) || strings.Contains(m.Tag, "|") {
		return fmt.Errorf("%w: ID and tag cannot have white space or control characters, nor a tag %q", ErrInvalidMessage, "|")
	}
	for name, value := range m.Properties {
		if name == "" || reserved[name] {
			return fmt.Errorf("%w: property name %q is empty or used by RocketMQ itself", ErrInvalidMessage, name)
		}
		if strings.ContainsAny(name+value, "\x01\x02") {
			return fmt.Errorf("%w: property %q has a control character (1 or 2) that separates properties", ErrInvalidMessage, name)
		}
		size += len(name) + len(value) + 2
	}
	if size > maxPropertiesBytes {
		return fmt.Errorf("%w: ID, keys, tag and properties have %d bytes, RocketMQ takes at most %d",
			ErrInvalidMessage, size, maxPropertiesBytes)
	}
	return nil
}

func isSeparator(r rune) bool { return r <= ' ' || r == 0x7f }

// toLibrary makes a fresh library message: the library writes into the one it is given.
func (m Message) toLibrary(topic, id string) *primitive.Message {
	out := primitive.NewMessage(topic, m.Body)
	for name, value := range m.Properties {
		out.WithProperty(name, value)
	}
	if len(m.Keys) > 0 {
		out.WithKeys(m.Keys)
	}
	out.WithTag(m.Tag)
	if m.OrderKey != "" {
		out.WithProperty(rocketmq.PropertyShardingKey, m.OrderKey) // the library's own name for it is one that nobody else knows
	}
	m.Delay.apply(out)
	out.WithProperty(primitive.PropertyUniqueClientMessageIdKeyIndex, id)
	return out
}

// Fields are the properties that carry the message's ID, keys, tag and own properties, for senders by OrderFlow's own protocol client.
func (m Message) Fields() rocketmq.Fields {
	fields := rocketmq.Fields{{Name: rocketmq.PropertyUniqueKey, Value: m.ID}}
	if len(m.Keys) > 0 {
		fields = append(fields, rocketmq.Field{Name: rocketmq.PropertyKeys, Value: strings.Join(m.Keys, " ")})
	}
	if m.Tag != "" {
		fields = append(fields, rocketmq.Field{Name: rocketmq.PropertyTags, Value: m.Tag})
	}
	for name, value := range m.Properties {
		fields = append(fields, rocketmq.Field{Name: name, Value: value})
	}
	return fields
}

// MessageOf is the message as it was sent, of one that a broker shows.
func MessageOf(stored *rocketmq.Message) Message {
	m := Message{
		ID: stored.Property(rocketmq.PropertyUniqueKey), Keys: strings.Fields(stored.Property(rocketmq.PropertyKeys)),
		Tag: stored.Property(rocketmq.PropertyTags), Properties: map[string]string{}, Body: stored.Body,
	}
	for name, value := range stored.Properties() {
		if !reserved[name] {
			m.Properties[name] = value
		}
	}
	return m
}
