// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"compress/zlib"
)

// Compressed reports whether the body was stored compressed.
func (m *Message) Compressed() bool { return m.SysFlag&flagCompressed != 0 }

// Compress compresses the body, unless that has been done or makes it larger,
// and reports whether it did.
func (m *OutMessage) Compress() bool {
	if m.Compressed {
		return false
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(m.Body)
	if err != nil || w.Close() != nil || b.Len() >= len(m.Body) { // writing to memory does not fail
		return false
	}
	m.Body, m.Compressed = b.Bytes(), true
	return true
}

// sysFlag is what the message is stored with.
func (m *OutMessage) sysFlag() int {
	if m.Compressed {
		return flagCompressed | compressionZlib<<compressionShift
	}
	return 0
}
