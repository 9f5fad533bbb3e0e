// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A message as stored is, big endian:
//
//	 0 i32 size | i32 magic | i32 crc | i32 queue | i32 flag | 20 i64 offset
//	28 i64 physical offset | 36 i32 sysFlag | 40 i64 born | host | i64 stored
//	   host | i32 reconsumed | i64 transaction offset | i32 length, body
//	   u8 (V2: u16) length, topic | u16 length, properties
//
// where host is an address of 4 or 16 bytes and an i32 port.
const (
	magicV1 = 0xDAA320A7
	magicV2 = 0xDAA320AB

	queueIDAt        = 12
	flagAt           = 16
	offsetAt         = 20
	physicalOffsetAt = 28
	sysFlagAt        = 36
	bornAt           = 40
	// minMessage is the size of a message of which all that may be empty is.
	minMessage = 91
	minFrame   = 8
)

// The bits of a message's sysFlag.
const (
	flagCompressed   = 0x1
	flagBornV6       = 0x10
	flagStoreV6      = 0x20
	flagNeedUnwrap   = 0x40
	flagInnerBatch   = 0x80
	compressionShift = 8
	compressionMask  = 7
)

var (
	errShort    = errors.New("the message ends before its fields do")
	errMagic    = errors.New("the message is in a format that is not known")
	errBoundary = errors.New("the size of the message is wrong")
)

// layout is where the fields of variable place lie in one stored message.
type layout struct {
	storedAt, reconsumedAt  int
	body, topic, properties span
}

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// locate checks every length once, so that reading the fields cannot fail.
func locate(raw []byte) (layout, error) {
	var l layout
	if len(raw) < minMessage {
		return l, errShort
	}
	topicLength := 1
	switch binary.BigEndian.Uint32(raw[4:]) {
	case magicV1:
	case magicV2:
		topicLength = 2
	default:
		return l, errMagic
	}
	sysFlag := int32(binary.BigEndian.Uint32(raw[sysFlagAt:]))
	l.storedAt = bornAt + 8 + hostSize(sysFlag, flagBornV6)
	l.reconsumedAt = l.storedAt + 8 + hostSize(sysFlag, flagStoreV6)
	ok := true
	next := func(at, lengthSize int) span {
		if !ok || at+lengthSize > len(raw) {
			ok = false
			return span{}
		}
		n := 0
		for _, b := range raw[at : at+lengthSize] {
			n = n<<8 | int(b)
		}
		s := span{at + lengthSize, at + lengthSize + n}
		ok = s.to <= len(raw)
		return s
	}
	l.body = next(l.reconsumedAt+12, 4)
	l.topic = next(l.body.to, topicLength)
	l.properties = next(l.topic.to, 2)
	if !ok {
		return l, errShort
	}
	return l, nil
}

// hostSize is the size of an address and its port.
func hostSize(sysFlag, v6 int32) int {
	if sysFlag&v6 != 0 {
		return 16 + 4
	}
	return 4 + 4
}

func hostOf(b []byte) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(b[:len(b)-4]) // 4 or 16 bytes
	return netip.AddrPortFrom(addr, uint16(binary.BigEndian.Uint32(b[len(b)-4:])))
}

// Decoder reads the messages of pulls. It is safe for concurrent use.
type Decoder struct {
	maxBody int
	inflate inflater
}

const (
	// DefaultMaxBody is the largest decompressed body: 16 MiB, four times what
	// a broker stores of one message by default.
	DefaultMaxBody = 16 << 20
	// pullBodies times the largest body is what the decompressed bodies of one
	// pull may take: a kilobyte stored can stand for a thousand.
	pullBodies = 4
)

// NewDecoder returns a decoder to which a body that takes more than maxBody
// bytes when decompressed is undecodable.
func NewDecoder(maxBody int) *Decoder { return &Decoder{maxBody: maxBody} }

// Decode returns the messages in b, which were pulled from q at the offset from.
// A message that cannot be decoded has its Err set and does not disturb its
// neighbours. Messages refer to b.
//
// rest is what was not decoded: from the message on with which the decompressed
// bodies would exceed four times the largest one, or from where message
// boundaries cannot be told any more.
func (d *Decoder) Decode(b []byte, q Queue, from int64) (messages []Message, rest []byte) {
	n, propertyBytes := survey(b)
	messages = make([]Message, 0, n)
	var properties strings.Builder // of all messages: one allocation
	properties.Grow(propertyBytes)
	budget := pullBodies * d.maxBody
	for range n {
		raw := b[:binary.BigEndian.Uint32(b)]
		m := Message{Topic: q.Topic, Queue: q, Offset: from}
		limit := min(d.maxBody, budget)
		err := d.message(&m, raw, &properties, limit)
		if errors.Is(err, errTooLarge) && limit < d.maxBody {
			return messages, b
		}
		if err != nil {
			m.Err, m.Raw, m.Body = err, raw, nil
		}
		if m.SysFlag&flagCompressed != 0 {
			budget -= len(m.Body)
		}
		if err == nil && m.SysFlag&flagInnerBatch != 0 && m.SysFlag&flagNeedUnwrap != 0 {
			messages = unwrap(messages, m, raw)
		} else {
			messages = append(messages, m)
		}
		from = messages[len(messages)-1].Offset + 1
		b = b[len(raw):]
	}
	return messages, b
}

// survey counts the messages that can be told apart at the beginning of b, and
// the bytes of their properties.
func survey(b []byte) (messages, properties int) {
	for len(b) >= minFrame {
		size := binary.BigEndian.Uint32(b)
		if size < minFrame || uint64(size) > uint64(len(b)) {
			break
		}
		if l, err := locate(b[:size]); err == nil {
			properties += l.properties.to - l.properties.from
		}
		messages++
		b = b[size:]
	}
	return messages, properties
}

// message fills m from raw. On an error, what was read before it stays.
func (d *Decoder) message(m *Message, raw []byte, properties *strings.Builder, limit int) error {
	if len(raw) >= sysFlagAt {
		m.Queue.ID = int(int32(binary.BigEndian.Uint32(raw[queueIDAt:])))
		m.Offset = int64(binary.BigEndian.Uint64(raw[offsetAt:]))
		m.PhysicalOffset = int64(binary.BigEndian.Uint64(raw[physicalOffsetAt:]))
	}
	l, err := locate(raw)
	if err != nil {
		return err
	}
	m.Flag = int32(binary.BigEndian.Uint32(raw[flagAt:]))
	m.SysFlag = int32(binary.BigEndian.Uint32(raw[sysFlagAt:]))
	m.Born = int64(binary.BigEndian.Uint64(raw[bornAt:]))
	m.BornHost = hostOf(raw[bornAt+8 : l.storedAt])
	m.Stored = int64(binary.BigEndian.Uint64(raw[l.storedAt:]))
	m.StoreHost = hostOf(raw[l.storedAt+8 : l.reconsumedAt])
	m.Reconsumed = int(int32(binary.BigEndian.Uint32(raw[l.reconsumedAt:])))
	if topic := l.topic.of(raw); string(topic) != m.Topic {
		m.Topic = string(topic)
	}
	start := properties.Len()
	properties.Write(l.properties.of(raw))
	m.properties = properties.String()[start:]
	if IsRetry(m.Topic) {
		if topic := m.Property(PropertyRetryTopic); topic != "" {
			m.Topic = topic
		}
	}
	m.Body = l.body.of(raw)
	if m.SysFlag&flagCompressed == 0 {
		return nil
	}
	if m.Body, err = d.inflate.body(m.Body, m.SysFlag>>compressionShift&compressionMask, limit); err != nil {
		return fmt.Errorf("decompress a body of %d bytes: %w", l.body.to-l.body.from, err)
	}
	return nil
}

// An inner batch is one stored message whose body holds several:
//
//	i32 size | i32 magic | i32 crc | i32 flag | i32 length, body
//	u16 length, properties
//
// They have consecutive offsets from the stored message's on.
const (
	innerFlagAt = 12
	innerBodyAt = 16
)

// unwrap appends the messages inside a stored one, at least one: what cannot be
// told apart is a message with an error.
func unwrap(messages []Message, outer Message, raw []byte) []Message {
	for b, i := outer.Body, int64(0); i == 0 || len(b) > 0; i++ {
		m := outer
		m.Offset += i
		size := len(b)
		if size >= minFrame {
			size = int(min(binary.BigEndian.Uint32(b), uint32(size)))
		}
		if !m.inner(b[:size]) {
			m.Err, m.Raw, m.Body = errShort, raw, nil
			return append(messages, m)
		}
		messages = append(messages, m)
		b = b[size:]
	}
	return messages
}

// inner reads one message of an inner batch into a copy of the outer one.
func (m *Message) inner(raw []byte) bool {
	if len(raw) < innerBodyAt+4 || binary.BigEndian.Uint32(raw) != uint32(len(raw)) {
		return false
	}
	m.Flag = int32(binary.BigEndian.Uint32(raw[innerFlagAt:]))
	body := binary.BigEndian.Uint32(raw[innerBodyAt:])
	rest := raw[innerBodyAt+4:]
	if uint64(body)+2 > uint64(len(rest)) {
		return false
	}
	m.Body, rest = rest[:body], rest[body:]
	properties := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; properties > len(rest) {
		return false
	}
	m.properties = string(rest[:properties])
	return true
}

// AppendMessage appends m as a broker stores it, its body as it is: a fake
// broker and tests need it.
func AppendMessage(dst []byte, m *Message) []byte {
	start := len(dst)
	sysFlag := m.SysFlag &^ (flagBornV6 | flagStoreV6)
	if m.BornHost.Addr().Is6() {
		sysFlag |= flagBornV6
	}
	if m.StoreHost.Addr().Is6() {
		sysFlag |= flagStoreV6
	}
	magic := uint32(magicV1)
	if len(m.Topic) > 0xFF {
		magic = magicV2
	}
	be := binary.BigEndian
	dst = append(dst, 0, 0, 0, 0) // the size, when it is known
	dst = be.AppendUint32(dst, magic)
	dst = append(dst, 0, 0, 0, 0) // the checksum, which clients do not look at
	dst = be.AppendUint32(dst, uint32(m.Queue.ID))
	dst = be.AppendUint32(dst, uint32(m.Flag))
	dst = be.AppendUint64(dst, uint64(m.Offset))
	dst = be.AppendUint64(dst, uint64(m.PhysicalOffset))
	dst = be.AppendUint32(dst, uint32(sysFlag))
	dst = be.AppendUint64(dst, uint64(m.Born))
	dst = appendHost(dst, m.BornHost)
	dst = be.AppendUint64(dst, uint64(m.Stored))
	dst = appendHost(dst, m.StoreHost)
	dst = be.AppendUint32(dst, uint32(m.Reconsumed))
	dst = be.AppendUint64(dst, 0) // no transaction
	dst = be.AppendUint32(dst, uint32(len(m.Body)))
	dst = append(dst, m.Body...)
	if magic == magicV1 {
		dst = append(dst, byte(len(m.Topic)))
	} else {
		dst = be.AppendUint16(dst, uint16(len(m.Topic)))
	}
	dst = append(dst, m.Topic...)
	dst = be.AppendUint16(dst, uint16(len(m.properties)))
	dst = append(dst, m.properties...)
	be.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func appendHost(dst []byte, host netip.AddrPort) []byte {
	addr := host.Addr()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	return binary.BigEndian.AppendUint32(append(dst, addr.AsSlice()...), uint32(host.Port()))
}
