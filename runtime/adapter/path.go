// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"errors"
	"net/url"
	"path"
	"strings"
)

// CheckPath refuses a path that could lead elsewhere than the author of its expression meant: an order's value in it may be anything.
func CheckPath(p string) error {
	unescaped, err := url.PathUnescape(p)
	switch {
	case !strings.HasPrefix(p, "/"):
		return errors.New("the path does not begin with /")
	case strings.ContainsAny(p, "?#\\"):
		return errors.New("the path contains ?, # or a backslash")
	case err != nil || strings.ContainsFunc(unescaped, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the path contains what a path cannot")
	case unescaped != "/" && path.Clean(unescaped) != strings.TrimSuffix(unescaped, "/"):
		return errors.New("the path contains ., .. or an empty segment")
	}
	return nil
}
