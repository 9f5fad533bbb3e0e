// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package secret reads Secrets that are mounted as folders: a file for each key. The kubelet swaps a changed Secret's files in one step; reading them
// again is cheaper and surer than watching them, so values are asked for whenever they are used, and read at most once a second.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Age is how old what Cached returns may be.
const Age = time.Second

// Cached returns a function that answers with what read returned, at most Age ago. It is safe for concurrent use.
func Cached[T any](read func() (T, error)) func() (T, error) {
	var mu sync.Mutex
	var at time.Time
	var value T
	var err error
	return func() (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) >= Age {
			value, err = read()
			at = time.Now()
		}
		return value, err
	}
}

// ErrMissing is Text's answer where the folder has no file for the key.
var ErrMissing = errors.New("is missing")

// Version is the folder of the files as they are together. The kubelet puts each version of a Secret into a folder of its own and swaps a link to it: read
// through the link, two files can be of two versions.
func Version(dir string) string {
	if version, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		return version
	}
	return dir
}

// Text reads a value that is one line, without the line break at its end that files made by hand have. The error names the key, and never contains
// what was read.
func Text(dir, key string) (string, error) {
	text, err := File(dir, key)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(text, "\r\n")
	switch {
	case value == "":
		return "", empty(key)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("the Secret's key %q contains a line break or another control character", key)
	}
	return value, nil
}

// File reads a value of many lines as it is. The error names the key, and never contains what was read.
func File(dir, key string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the Secret's key %q %w", key, ErrMissing)
	case err != nil:
		return "", fmt.Errorf("the Secret's key %q cannot be read", key)
	case len(data) == 0:
		return "", empty(key)
	}
	return string(data), nil
}

func empty(key string) error { return fmt.Errorf("the Secret's key %q is empty", key) }
