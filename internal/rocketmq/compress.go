// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// How a body is compressed, as the bits 8 to 10 of sysFlag say. Clients before
// 5.0 know zlib alone and say nothing.
const (
	compressionNone = 0
	compressionLZ4  = 1
	compressionZstd = 2
	compressionZlib = 3
)

// maxZstdWindow bounds what a zstd frame may ask of memory before its first
// byte; compression levels up to 20 stay below.
const maxZstdWindow = 32 << 20

var errTooLarge = errors.New("the body is larger than allowed when decompressed")

// inflater decompresses bodies and keeps the decompressors for the next.
type inflater struct{ zlib, lz4, zstd sync.Pool }

// body returns the decompressed body of at most limit bytes.
func (f *inflater) body(compressed []byte, kind int32, limit int) ([]byte, error) {
	in := bytes.NewReader(compressed)
	switch kind {
	case compressionNone, compressionZlib:
		r, ok := f.zlib.Get().(io.ReadCloser)
		if !ok {
			var err error
			if r, err = zlib.NewReader(in); err != nil {
				return nil, err
			}
		} else if err := r.(zlib.Resetter).Reset(in, nil); err != nil {
			return nil, err
		}
		defer f.zlib.Put(r)
		return readBody(r, limit)
	case compressionLZ4:
		r, ok := f.lz4.Get().(*lz4.Reader)
		if !ok {
			r = lz4.NewReader(nil)
		}
		defer f.lz4.Put(r)
		r.Reset(in)
		return readBody(r, limit)
	case compressionZstd:
		r, ok := f.zstd.Get().(*zstd.Decoder)
		if !ok {
			var err error
			if r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow)); err != nil {
				return nil, err
			}
		}
		defer f.zstd.Put(r)
		if err := r.Reset(in); err != nil {
			return nil, err
		}
		return readBody(r, limit)
	}
	return nil, fmt.Errorf("the compression type %d is not known", kind)
}

// readBody reads all of r, or fails as soon as there is more than limit.
func readBody(r io.Reader, limit int) ([]byte, error) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(r, int64(limit)+1)); err != nil {
		return nil, err
	}
	if body.Len() > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return body.Bytes(), nil
}

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
	flag := 0
	if m.Compressed {
		flag |= flagCompressed | compressionZlib<<compressionShift
	}
	if m.half {
		flag |= flagHalf
	}
	return flag
}
