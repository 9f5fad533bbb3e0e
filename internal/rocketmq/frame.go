// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Field is one named value of a command's header. All values travel as text.
type Field struct{ Name, Value string }

// Fields are the named values ("extFields") of a command, in the order they
// are written. Of fields with one name the last counts.
type Fields []Field

// Get returns the value of name, or "" when there is none.
func (f Fields) Get(name string) string {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].Name == name {
			return f[i].Value
		}
	}
	return ""
}

// Command is one frame of the remoting protocol: a request or a reply.
type Command struct {
	// Code is an [Op] in a request and a [Code] in a reply.
	Code int
	// Opaque ties a reply to its request; the client sets it.
	Opaque int32
	// Flag has bit 0 set in a reply and bit 1 in a request that wants none.
	Flag int
	// Version is the sender's protocol version (513 = 5.5.0).
	Version int
	// Language is the sender's, "GO" here and "JAVA" at brokers.
	Language string
	// Remark is the peer's text; it means nothing unless the code says failure.
	Remark string
	// Fields are the named values.
	Fields Fields
	// Body is opaque at this level. A decoded command owns it.
	Body []byte
}

const (
	flagReply  = 1
	flagOneWay = 2
)

// IsReply reports whether the command answers a request.
func (c *Command) IsReply() bool { return c.Flag&flagReply != 0 }

// IsOneWay reports whether the sender waits for no reply.
func (c *Command) IsOneWay() bool { return c.Flag&flagOneWay != 0 }

// A frame is, big endian:
//
//	int32  total  = 4 + header + body, excluding itself
//	int32  mark   = serialize type << 24 | header length
//	header JSON (serialize type 0)
//	body
//
// A peer answers in the serialize type of the request, so JSON alone suffices.
const (
	prefixSize    = 8
	maxHeader     = 1<<24 - 1
	serializeJSON = 0
	readChunk     = 1 << 20
	// DefaultMaxFrame is the largest frame accepted or sent unless configured
	// otherwise: 64 MiB.
	DefaultMaxFrame = 64 << 20
)

var errNotJSON = errors.New("the header is in RocketMQ's binary serialization, only JSON is understood: set serializeTypeCurrentRPC to JSON at the peer")

// ReadFrame reads one command. A frame larger than limit bytes, one in the
// binary serialization and one that contradicts itself are errors, after which
// the stream is of no use. The error is io.EOF only between frames.
//
// The memory taken grows with what has arrived, not with what was announced.
func ReadFrame(r *bufio.Reader, limit int) (*Command, error) {
	prefix, err := r.Peek(prefixSize)
	if err != nil {
		if len(prefix) > 0 {
			err = noEOF(err)
		}
		return nil, err
	}
	total := binary.BigEndian.Uint32(prefix[:4])
	mark := binary.BigEndian.Uint32(prefix[4:])
	header := mark & maxHeader
	switch {
	case uint64(total) > uint64(limit):
		return nil, fmt.Errorf("a frame of %d bytes is larger than the %d allowed", total, limit)
	case total < 4 || header > total-4:
		return nil, fmt.Errorf("a frame of %d bytes cannot hold a header of %d", total, header)
	case mark>>24 != serializeJSON:
		return nil, errNotJSON
	}
	_, _ = r.Discard(prefixSize) // it was just peeked
	cmd := new(Command)
	if err := cmd.readHeader(r, int(header)); err != nil {
		return nil, err
	}
	if n := int(total-4) - int(header); n > 0 {
		if cmd.Body, err = readN(r, n); err != nil {
			return nil, fmt.Errorf("read a body of %d bytes: %w", n, err)
		}
	}
	return cmd, nil
}

// readHeader reads a header of n bytes in place when it fits the buffer.
func (c *Command) readHeader(r *bufio.Reader, n int) error {
	if n > r.Size() {
		header, err := readN(r, n)
		if err != nil {
			return fmt.Errorf("read a header of %d bytes: %w", n, err)
		}
		return c.decodeHeader(header)
	}
	header, err := r.Peek(n)
	if err != nil {
		return fmt.Errorf("read a header of %d bytes: %w", n, noEOF(err))
	}
	err = c.decodeHeader(header)
	_, _ = r.Discard(n) // it was just peeked
	return err
}

// noEOF keeps an end inside a frame apart from one between frames.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readN reads exactly n bytes, in chunks, so that a false length costs its
// sender the bytes before it costs us the memory.
func readN(r io.Reader, n int) ([]byte, error) {
	buf := make([]byte, min(n, readChunk))
	for read := 0; ; {
		m, err := io.ReadFull(r, buf[read:])
		if read += m; err != nil {
			return nil, noEOF(err)
		}
		if read == n {
			return buf, nil
		}
		grown := make([]byte, min(n, 2*read))
		copy(grown, buf)
		buf = grown
	}
}

// AppendFrame appends the command as one frame. It fails, and returns dst
// unchanged, when a text in it is not valid UTF-8 (the peer would see, and
// verify, something else) or when the frame would be larger than limit bytes.
func AppendFrame(dst []byte, cmd *Command, limit int) ([]byte, error) {
	start := len(dst)
	out := append(dst, make([]byte, prefixSize)...)
	out, err := cmd.appendHeader(out)
	if err != nil {
		return dst, err
	}
	header := len(out) - start - prefixSize
	total := 4 + header + len(cmd.Body)
	if header > maxHeader || total > limit {
		return dst, fmt.Errorf("a frame of %d bytes is larger than the %d allowed", total, limit)
	}
	out = append(out, cmd.Body...)
	binary.BigEndian.PutUint32(out[start:], uint32(total))
	binary.BigEndian.PutUint32(out[start+4:], uint32(header))
	return out, nil
}
