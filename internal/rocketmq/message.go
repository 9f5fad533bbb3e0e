// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Property names this package and its callers look at.
const (
	PropertyKeys        = "KEYS"               // the sender's keys, separated by spaces
	PropertyTags        = "TAGS"               // the tag; a message has at most one
	PropertyUniqueKey   = "UNIQ_KEY"           // the message id the sender's client made
	PropertyRetryTopic  = "RETRY_TOPIC"        // in %RETRY% and %DLQ%: the original topic
	PropertyOriginID    = "ORIGIN_MESSAGE_ID"  // in %RETRY% and %DLQ%: the original message id
	PropertyDelayLevel  = "DELAY"              // deliver after this delay level
	PropertyReason      = "ORDERFLOW_REASON"   // of OrderFlow's dead letters: why the message is one
	PropertyAttempts    = "ORDERFLOW_ATTEMPTS" // of the same: how often it was handed out, the last time included
	PropertyBorn        = "ORDERFLOW_BORN"     // of the same: when it was born, in milliseconds since 1970
	PropertyShardingKey = "__SHARDINGKEY"
	propertySeparator   = '\x01'
	propertyEnd         = '\x02'
)

// Message is one message as a broker stored it. Body and properties share the
// memory of the whole reply: keep copies of what is kept for long.
type Message struct {
	// Topic is the one it was sent to; in a retry topic it is the original one.
	Topic string
	// Queue is where it was pulled from, its retry topic included.
	Queue Queue
	// Offset is its place in the queue.
	Offset int64
	// PhysicalOffset is its place in the broker's log; sending back names it.
	PhysicalOffset int64
	// Reconsumed counts how often it was sent back.
	Reconsumed int
	// MaybeHandled: it may have been handled before without having been sent back.
	// No broker says so: whoever takes over its queue may.
	MaybeHandled bool
	// Born and Stored are the times at the sender and at the broker, in
	// milliseconds since 1970.
	Born, Stored int64
	BornHost     netip.AddrPort
	StoreHost    netip.AddrPort
	// Flag is the sender's own; SysFlag is RocketMQ's.
	Flag, SysFlag int32
	// Body is decompressed.
	Body []byte
	// Err says why the message could not be decoded. Then Offset and
	// PhysicalOffset are what could be read of them, and Raw is all there is.
	Err error
	// Raw is the message as stored; set only together with Err.
	Raw []byte

	properties string
}

// ID is the message id that a broker derives from where it stores the message.
func (m *Message) ID() string {
	addr := m.StoreHost.Addr().AsSlice()
	id := binary.BigEndian.AppendUint32(slices.Clone(addr), uint32(m.StoreHost.Port()))
	return fmt.Sprintf("%X", binary.BigEndian.AppendUint64(id, uint64(m.PhysicalOffset)))
}

// OriginalID is the id of the message over all its attempts and dead letters.
func (m *Message) OriginalID() string {
	for _, property := range []string{PropertyUniqueKey, PropertyOriginID} {
		if id := m.Property(property); id != "" {
			return id
		}
	}
	return m.ID()
}

// ParseID reads an id as [Message.ID] writes it: where the message was stored first, and its
// place in that broker's log.
func ParseID(id string) (host netip.AddrPort, physicalOffset int64, err error) {
	raw, err := hex.DecodeString(id)
	addr, ok := netip.AddrFromSlice(raw[:max(0, len(raw)-idTail)])
	if err != nil || !ok {
		return netip.AddrPort{}, 0, fmt.Errorf("%q is no message id of a broker", id)
	}
	port, offset := binary.BigEndian.Uint32(raw[len(raw)-idTail:]), binary.BigEndian.Uint64(raw[len(raw)-8:])
	return netip.AddrPortFrom(addr, uint16(port)), int64(offset), nil
}

// idTail is what follows the address in an id: a port and a place, in bytes.
const idTail = 4 + 8

// BornAt is Born as a time.
func (m *Message) BornAt() time.Time { return time.UnixMilli(m.Born) }

// FirstBorn is Born, or what a dead letter that was given back says of the message it is of, in milliseconds
// since 1970.
func (m *Message) FirstBorn() int64 {
	if m.Reconsumed > 0 {
		if born, err := strconv.ParseInt(m.Property(PropertyBorn), 10, 64); err == nil {
			return born
		}
	}
	return m.Born
}

// StoredAt is Stored as a time.
func (m *Message) StoredAt() time.Time { return time.UnixMilli(m.Stored) }

// Size is how many bytes its body and its properties take in memory.
func (m *Message) Size() int { return len(m.Body) + len(m.Raw) + len(m.properties) }

// Property returns the value of a property, "" if there is none. It scans: most
// messages are asked for two or three of their ten.
func (m *Message) Property(name string) string {
	for n, v := range m.Properties() {
		if n == name {
			return v
		}
	}
	return ""
}

// SetProperties replaces the properties by an encoded list, see
// [EncodeProperties].
func (m *Message) SetProperties(encoded string) { m.properties = encoded }

// Properties yields names and values in the order they were written.
func (m *Message) Properties() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := m.properties; rest != ""; {
			var property string
			property, rest, _ = strings.Cut(rest, string(propertyEnd))
			name, value, ok := strings.Cut(property, string(propertySeparator))
			if ok && !yield(name, value) {
				return
			}
		}
	}
}

// EncodeProperties writes properties as the protocol has them. The two
// characters that separate them, \x01 and \x02, cannot be in a name or a value,
// nor can a name be empty, or all of them exceed 32767 bytes.
func EncodeProperties(properties Fields) (string, error) {
	var b strings.Builder
	for _, p := range properties {
		if p.Name == "" {
			return "", fmt.Errorf("a property with the value %q has no name", p.Value)
		}
		if strings.ContainsAny(p.Name, "\x01\x02") || strings.ContainsAny(p.Value, "\x01\x02") {
			return "", fmt.Errorf("the property %q contains \\x01 or \\x02, which separate properties", p.Name)
		}
		b.WriteString(p.Name)
		b.WriteByte(propertySeparator)
		b.WriteString(p.Value)
		b.WriteByte(propertyEnd)
	}
	if b.Len() > maxProperties {
		return "", fmt.Errorf("the properties take %d bytes, more than the %d a message can carry", b.Len(), maxProperties)
	}
	return b.String(), nil
}

const maxProperties = 1<<15 - 1
