// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// errTrailing is text after the value that was asked for.
var errTrailing = errors.New("json: something follows the value")

// walker reads a large reply where it stands: all it makes is what each asks for.
type walker struct{ repairer }

// members calls each for every member of the object that comes next, with its key; each then reads the value. A key that stands twice is met twice. null has no members.
func (w *walker) members(each func(key []byte) error) error {
	if w.space(); bytes.HasPrefix(w.in[w.at:], []byte("null")) {
		return w.skip()
	}
	if err := w.take('{'); err != nil {
		return err
	}
	if w.space() == '}' {
		w.at++
		return nil
	}
	for {
		key, err := w.text()
		if err == nil {
			err = w.take(':')
		}
		if err == nil {
			err = each(key)
		}
		if err != nil {
			return err
		}
		if w.space() != ',' {
			return w.take('}')
		}
		w.at++
	}
}

// take reads one byte that has to be there.
func (w *walker) take(wanted byte) error {
	switch found := w.space(); {
	case w.at == len(w.in):
		return errTruncated
	case found != wanted:
		return fmt.Errorf("json: %q stands where %q should, at byte %d", found, wanted, w.at)
	}
	w.at++
	return nil
}

// text reads what a string says, or a number or word.
func (w *walker) text() ([]byte, error) {
	read := w.scalar
	if w.space() == '"' {
		read = w.string
	}
	from := w.at
	var err error
	if w.scratch, err = read(w.scratch[:0]); err != nil {
		return nil, err
	}
	text := w.in[from:w.at]
	if bytes.IndexByte(text, '\\') < 0 {
		return bytes.Trim(text, `"`), nil
	}
	var said string
	err = json.Unmarshal(text, &said)
	return []byte(said), err
}

// skip reads a value that nobody asked for.
func (w *walker) skip() error {
	_, err := w.value(nil, 1)
	return err
}

// end wants nothing to follow.
func (w *walker) end() error {
	if w.space(); w.at < len(w.in) {
		return errTrailing
	}
	return nil
}
