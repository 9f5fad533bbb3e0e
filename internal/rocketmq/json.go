// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"encoding/json"
	"errors"
)

// Brokers write maps with whatever their keys are, {{"queueId":0}:{…}} and
// {0:"addr"}, which no JSON reader takes. RepairJSON turns such keys into
// strings.

// maxDepth bounds the nesting of replies; theirs is below ten.
const maxDepth = 64

var (
	errTooDeep   = errors.New("json: nested too deeply")
	errTruncated = errors.New("json: ends in the middle of a value")
)

func decodeJSON(body []byte, v any) error {
	repaired, err := RepairJSON(body)
	if err != nil {
		return err
	}
	return json.Unmarshal(repaired, v)
}

// RepairJSON returns the text with every object key that is not a string
// replaced by a string that holds the key's own text (itself repaired). Valid
// JSON comes back the same but for white space. It is not a validator: text that
// is wrong in other ways comes back wrong, for encoding/json to refuse. An error
// is a text that ends too early or is nested too deeply.
func RepairJSON(text []byte) ([]byte, error) {
	r := repairer{in: text}
	out, err := r.value(make([]byte, 0, len(text)+len(text)/4), 0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(r.in) { // kept, so that it is refused
		out = append(append(out, ' '), r.in[r.at:]...)
	}
	return out, nil
}

// repairer copies a text while it walks it. Each step consumes at least a byte
// or is an error.
type repairer struct {
	in    []byte
	at    int
	inKey bool // within a key that is not a string
	// scratch is where such a key is built.
	scratch []byte
}

// space moves to the next byte that counts and returns it, 0 at the end.
func (r *repairer) space() byte {
	for ; r.at < len(r.in); r.at++ {
		switch ch := r.in[r.at]; ch {
		case ' ', '\t', '\r', '\n':
		default:
			return ch
		}
	}
	return 0
}

func (r *repairer) value(out []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch r.space() {
	case '{':
		return r.container(out, depth, '}')
	case '[':
		return r.container(out, depth, ']')
	case '"':
		return r.string(out)
	}
	return r.scalar(out)
}

// container copies an object or an array up to its closing byte.
func (r *repairer) container(out []byte, depth int, closing byte) ([]byte, error) {
	var err error
	out = append(out, r.in[r.at])
	r.at++
	for r.space() != closing {
		if closing == '}' {
			if out, err = r.key(out, depth); err != nil {
				return nil, err
			}
		}
		if out, err = r.value(out, depth+1); err != nil {
			return nil, err
		}
		if r.space() == ',' {
			out = append(out, ',')
			r.at++
		}
	}
	out = append(out, closing)
	r.at++
	return out, nil
}

// key copies a key, made a string, and its colon.
func (r *repairer) key(out []byte, depth int) ([]byte, error) {
	if r.space() == '"' {
		var err error
		if out, err = r.string(out); err != nil {
			return nil, err
		}
	} else {
		if r.inKey { // each level would double the escapes of the one inside
			return nil, errTooDeep
		}
		r.inKey = true
		key, err := r.value(r.scratch[:0], depth+1)
		r.inKey = false
		if err != nil {
			return nil, err
		}
		r.scratch = key
		out = appendString(out, key)
	}
	if r.space() == ':' {
		out = append(out, ':')
		r.at++
	}
	return out, nil
}

func (r *repairer) string(out []byte) ([]byte, error) {
	for i := r.at + 1; i < len(r.in); i++ {
		switch r.in[i] {
		case '\\':
			i++
		case '"':
			out = append(out, r.in[r.at:i+1]...)
			r.at = i + 1
			return out, nil
		}
	}
	return nil, errTruncated
}

// scalar copies a number, a word or whatever stands where a value should.
func (r *repairer) scalar(out []byte) ([]byte, error) {
	from := r.at
	for ; r.at < len(r.in); r.at++ {
		switch r.in[r.at] {
		case ',', ':', '}', ']', '{', '[', '"', ' ', '\t', '\r', '\n':
			if r.at == from { // a stray byte: copied, so that it is refused
				r.at++
			}
			return append(out, r.in[from:r.at]...), nil
		}
	}
	if r.at == from {
		return nil, errTruncated
	}
	return append(out, r.in[from:]...), nil
}
