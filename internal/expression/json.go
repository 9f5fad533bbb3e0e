// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a JSON document. A document takes several times its size in memory, and a worker holds one for each message in flight.
const (
	// MaxDocument is in bytes.
	MaxDocument = 1 << 20
	// MaxDepth counts nested objects and lists.
	MaxDepth = 64
)

// ErrTooLarge is DecodeJSON's answer to a document of more than MaxDocument bytes.
var ErrTooLarge = errors.New("the document is too large")

// DecodeJSON decodes a document for use in expressions: objects as map[string]any, lists as []any, numbers as int64 if they are written
// without fraction and exponent, else as float64. Unlike encoding/json it refuses what readers understand differently: a name twice in an object,
// an integer beyond 64 bits, bytes that are not UTF-8. Errors say where, in bytes, and never what.
//
// Every message is decoded by it. It reads its document once, and its texts share the document's memory: token by token, encoding/json would take longer
// for it than the rest of a request does.
func DecodeJSON(data []byte) (any, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrTooLarge, len(data), MaxDocument)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	d := decoder{text: string(data)}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at < len(d.text) {
		return nil, fmt.Errorf("something follows the document at byte %d", d.at)
	}
	return value, nil
}

// decoder reads a document from its beginning.
type decoder struct {
	text string
	at   int // what is read next
}

func (d *decoder) wrong() error { return fmt.Errorf("it is not JSON at byte %d", d.at) }

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// next is the next byte that is no space, 0 at the end.
func (d *decoder) next() byte {
	if d.space(); d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

// takes reads the byte if it is the next one.
func (d *decoder) takes(c byte) bool {
	if d.next() != c || d.at == len(d.text) {
		return false
	}
	d.at++
	return true
}

func (d *decoder) value(depth int) (any, error) {
	switch c := d.next(); {
	case c == '"':
		return d.string()
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return nil, fmt.Errorf("it is nested deeper than %d levels at byte %d", MaxDepth, d.at)
		}
		d.at++
		if c == '{' {
			return d.object(depth + 1)
		}
		return d.list(depth + 1)
	case c == '-' || digit(c):
		return d.number()
	}
	for _, w := range words {
		if strings.HasPrefix(d.text[d.at:], w.text) {
			d.at += len(w.text)
			return w.value, nil
		}
	}
	return nil, d.wrong()
}

var words = [...]struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (d *decoder) object(depth int) (any, error) {
	object := map[string]any{}
	if d.takes('}') {
		return object, nil
	}
	for {
		if d.next() != '"' {
			return nil, d.wrong()
		}
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("a name is given twice in one object at byte %d", d.at)
		}
		if !d.takes(':') {
			return nil, d.wrong()
		}
		if object[name], err = d.value(depth); err != nil {
			return nil, err
		}
		if d.takes('}') {
			return object, nil
		}
		if !d.takes(',') {
			return nil, d.wrong()
		}
	}
}

func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	if d.takes(']') {
		return list, nil
	}
	for {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		if d.takes(']') {
			return list, nil
		}
		if !d.takes(',') {
			return nil, d.wrong()
		}
	}
}

// string reads a text, which begins here.
func (d *decoder) string() (string, error) {
	begin, escaped := d.at, false
	for d.at++; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			d.at++
			if !escaped {
				return d.text[begin+1 : d.at-1], nil
			}
			return d.unescape(begin)
		case c == '\\':
			escaped = true
			d.at++ // what follows ends nothing
		case c < ' ':
			return "", d.wrong()
		}
	}
	d.at = len(d.text)
	return "", d.wrong()
}

// unescape is what a text that began at begin, and has been read, stands for.
func (d *decoder) unescape(begin int) (text string, err error) {
	if json.Unmarshal([]byte(d.text[begin:d.at]), &text) != nil {
		d.at = begin
		return "", d.wrong()
	}
	return text, nil
}

func (d *decoder) number() (any, error) {
	begin, whole := d.at, true
	if d.text[d.at] == '-' {
		d.at++
	}
	ok := d.skip("0") || d.digits()
	if d.skip(".") {
		whole, ok = false, ok && d.digits()
	}
	if d.skip("eE") {
		d.skip("+-")
		whole, ok = false, ok && d.digits()
	}
	if !ok {
		return nil, d.wrong()
	}
	var n any
	var err error
	if literal := d.text[begin:d.at]; whole {
		n, err = strconv.ParseInt(literal, 10, 64)
	} else {
		n, err = strconv.ParseFloat(literal, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("a number at byte %d does not fit into 64 bits: send it as a string", d.at)
	}
	return n, nil
}

// skip reads one byte of a set, if it is there.
func (d *decoder) skip(set string) bool {
	if d.at == len(d.text) || strings.IndexByte(set, d.text[d.at]) < 0 {
		return false
	}
	d.at++
	return true
}

// digits reads at least one.
func (d *decoder) digits() bool {
	begin := d.at
	for d.at < len(d.text) && digit(d.text[d.at]) {
		d.at++
	}
	return d.at > begin
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
