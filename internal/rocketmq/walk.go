// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"errors"
	"fmt"
)

// errTrailing is text after the value that was asked for.
var errTrailing = errors.New("json: something follows the value")

// walker reads a large reply where it stands: what is not kept is not copied.
type walker struct{ repairer }

// members calls each for every member of the object that comes next, with its key as it stands there but for quotes; each then reads the value. A key that stands twice is
// met twice.
func (w *walker) members(each func(key []byte) error) error {
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
	switch found := w.space(); found {
	case wanted:
		w.at++
		return nil
	case 0:
		return errTruncated
	default:
		return fmt.Errorf("json: %q stands where %q should, at byte %d", found, wanted, w.at)
	}
}

// text reads a string, whose quotes it takes off, or a number or word. Escapes are refused: names of topics and groups have none.
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
	if bytes.IndexByte(text, '\\') >= 0 {
		return nil, fmt.Errorf("json: %s has an escape, which no name of a topic or a group can have", text)
	}
	return bytes.Trim(text, `"`), nil
}

// skip reads a value that nobody asked for.
func (w *walker) skip() error {
	_, err := w.value(nil, 1)
	return err
}

// end wants nothing to follow.
func (w *walker) end() error {
	if w.space() != 0 {
		return errTrailing
	}
	return nil
}
