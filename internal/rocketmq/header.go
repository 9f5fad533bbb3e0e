// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The JSON header of a command has a fixed shape, so it is written and read by
// hand: a pull costs one string and one slice instead of a map and thirty
// strings. What the reader does not know by heart (an escape, a null, a name it
// never saw) it leaves to encoding/json, which therefore defines the result.

var errNotUTF8 = errors.New("is not valid UTF-8")

// appendHeader appends the header of the command.
func (c *Command) appendHeader(b []byte) ([]byte, error) {
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, int64(c.Code), 10)
	if !utf8.ValidString(c.Language) || !utf8.ValidString(c.Remark) {
		return nil, fmt.Errorf("the language or remark %w", errNotUTF8)
	}
	b = appendString(append(b, `,"language":`...), c.Language)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(c.Version), 10)
	b = append(b, `,"opaque":`...)
	b = strconv.AppendInt(b, int64(c.Opaque), 10)
	b = append(b, `,"flag":`...)
	b = strconv.AppendInt(b, int64(c.Flag), 10)
	if c.Remark != "" {
		b = appendString(append(b, `,"remark":`...), c.Remark)
	}
	if len(c.Fields) > 0 {
		b = append(b, `,"extFields":`...)
		open := byte('{')
		for _, f := range c.Fields {
			if !utf8.ValidString(f.Name) || !utf8.ValidString(f.Value) {
				return nil, fmt.Errorf("the field %q %w", f.Name, errNotUTF8)
			}
			b = appendString(append(b, open), f.Name)
			b = appendString(append(b, ':'), f.Value)
			open = ','
		}
		b = append(b, '}')
	}
	return append(b, `,"serializeTypeCurrentRPC":"JSON"}`...), nil
}

const hexDigits = "0123456789abcdef"

// appendString appends valid UTF-8 text as a JSON string.
func appendString[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		ch := s[i]
		if ch >= ' ' && ch != '"' && ch != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		if ch == '"' || ch == '\\' {
			b = append(b, '\\', ch)
		} else {
			b = append(b, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&15])
		}
		from = i + 1
	}
	return append(append(b, s[from:]...), '"')
}

// decodeHeader fills everything but the body.
func (c *Command) decodeHeader(header []byte) error {
	fast := headerScanner{text: string(header)}
	if fast.command(c) {
		return nil
	}
	var slow struct {
		Code     int               `json:"code"`
		Language string            `json:"language"`
		Version  int               `json:"version"`
		Opaque   int32             `json:"opaque"`
		Flag     int               `json:"flag"`
		Remark   string            `json:"remark"`
		Fields   map[string]string `json:"extFields"`
	}
	if err := json.Unmarshal(header, &slow); err != nil {
		return fmt.Errorf("read the header of a command: %w", err)
	}
	*c = Command{Code: slow.Code, Language: slow.Language, Version: slow.Version, Opaque: slow.Opaque, Flag: slow.Flag, Remark: slow.Remark}
	for _, name := range slices.Sorted(maps.Keys(slow.Fields)) {
		c.Fields = append(c.Fields, Field{name, slow.Fields[name]})
	}
	return nil
}

// headerScanner reads the header as peers write it: no spaces, no nulls, no
// escapes. Each method reports false at anything else.
type headerScanner struct {
	text string
	at   int
}

func (s *headerScanner) command(c *Command) bool {
	if !s.skip('{') || s.skip('}') {
		return false
	}
	var seen [8]bool
	for {
		name, ok := s.string()
		if !ok || !s.skip(':') {
			return false
		}
		var key int
		switch name {
		case "code":
			key = 1
			c.Code, ok = s.int()
		case "language":
			key = 2
			c.Language, ok = s.string()
		case "version":
			key = 3
			c.Version, ok = s.int()
		case "opaque":
			var n int
			key = 4
			n, ok = s.int()
			c.Opaque = int32(n)
			ok = ok && int(c.Opaque) == n
		case "flag":
			key = 5
			c.Flag, ok = s.int()
		case "remark":
			key = 6
			c.Remark, ok = s.string()
		case "extFields":
			key = 7
			ok = s.fields(c)
		case "serializeTypeCurrentRPC":
			_, ok = s.string()
		default:
			return false
		}
		if !ok || key > 0 && seen[key] {
			return false
		}
		seen[key] = true
		if s.skip('}') {
			return s.at == len(s.text)
		}
		if !s.skip(',') {
			return false
		}
	}
}

// typicalFields is how many named values the reply to a pull has, rounded up.
const typicalFields = 12

func (s *headerScanner) fields(c *Command) bool {
	if !s.skip('{') {
		return false
	}
	if s.skip('}') {
		return true
	}
	c.Fields = make(Fields, 0, typicalFields)
	for {
		name, ok := s.string()
		if !ok || !s.skip(':') {
			return false
		}
		value, ok := s.string()
		if !ok {
			return false
		}
		c.Fields = append(c.Fields, Field{name, value})
		if s.skip('}') {
			return true
		}
		if !s.skip(',') {
			return false
		}
	}
}

func (s *headerScanner) skip(ch byte) bool {
	if s.at < len(s.text) && s.text[s.at] == ch {
		s.at++
		return true
	}
	return false
}

// string returns a string of printable ASCII without escapes, as a part of the
// header's text.
func (s *headerScanner) string() (string, bool) {
	if !s.skip('"') {
		return "", false
	}
	for i := s.at; i < len(s.text); i++ {
		switch ch := s.text[i]; {
		case ch == '"':
			value := s.text[s.at:i]
			s.at = i + 1
			return value, true
		case ch == '\\' || ch < ' ' || ch >= utf8.RuneSelf:
			return "", false
		}
	}
	return "", false
}

// int returns a whole number of at most ten digits.
func (s *headerScanner) int() (int, bool) {
	negative := s.skip('-')
	from, n := s.at, 0
	for s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		n = n*10 + int(s.text[s.at]-'0')
		s.at++
		if s.at-from > 10 {
			return 0, false
		}
	}
	digits := s.at - from
	if digits == 0 || digits > 1 && s.text[from] == '0' {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}
