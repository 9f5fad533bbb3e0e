// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func DecodeJSON(data []byte) (any, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("%w: it has %d bytes, %d are allowed", ErrTooLarge, len(data), MaxDocument)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	d := decoder{json.NewDecoder(bytes.NewReader(data))}
	d.UseNumber()
	value, err := d.value(0)
	if err != nil {
		return nil, d.explain(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the document at byte %d", d.InputOffset())
	}
	return value, nil
}

type decoder struct{ *json.Decoder }

func (d decoder) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == MaxDepth {
			return nil, fmt.Errorf("it is nested deeper than %d levels at byte %d", MaxDepth, d.InputOffset())
		}
		if t == '{' {
			return d.object(depth + 1)
		}
		return d.list(depth + 1)
	case json.Number:
		return d.number(string(t))
	}
	return token, nil
}

func (d decoder) object(depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder admits nothing else before a value
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("a name is given twice in one object at byte %d", d.InputOffset())
		}
		if object[name], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // }
	return object, err
}

func (d decoder) list(depth int) (any, error) {
	list := []any{}
	for d.More() {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token() // ]
	return list, err
}

func (d decoder) number(literal string) (any, error) {
	var n any
	var err error
	if strings.ContainsAny(literal, ".eE") {
		n, err = strconv.ParseFloat(literal, 64)
	} else {
		n, err = strconv.ParseInt(literal, 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("a number at byte %d does not fit into 64 bits: send it as a string", d.InputOffset())
	}
	return n, nil
}

// explain keeps the bytes of the document out of encoding/json's errors.
func (d decoder) explain(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is not JSON at byte %d", d.InputOffset())
	}
	return err
}
