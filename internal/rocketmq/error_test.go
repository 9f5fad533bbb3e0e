// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEveryRefusalIsOfOneKind(t *testing.T) {
	kinds := []error{ErrNotFound, ErrNotOnline, ErrDeleted, ErrPermission, ErrUnreachable, ErrBusy, ErrRefused, ErrClosed}
	for _, c := range []struct {
		code   Code
		remark string
		want   error
	}{
		{CodeTopicNotExist, "", ErrNotFound},
		{CodeGroupNotExist, "", ErrNotFound},
		{CodeQueryNotFound, "", ErrNotFound},
		{CodeSystemError, "no consumer for this group, g", ErrNotFound},
		{CodeSystemError, "The Consumer <g> <id> not online", ErrNotOnline},
		{CodeSystemError, "look message by offset failed, 4711", ErrDeleted},
		{CodeSystemError, "java.lang.NullPointerException", ErrRefused},
		{CodeConsumerNotOnline, "", ErrNotOnline},
		{CodeNoPermission, "", ErrPermission},
		{CodeSystemBusy, "", ErrBusy},
		{CodeFlowControl, "", ErrBusy},
		{CodeInvalidParameter, "", ErrRefused},
		{4711, "", ErrRefused},
	} {
		err := fmt.Errorf("wrapped: %w", &Error{Op: OpPull, Code: c.code, Remark: c.remark, Addr: "a:1"})
		for _, kind := range kinds {
			if errors.Is(err, kind) != (kind == c.want) { //nolint:errorlint // identity is meant
				t.Errorf("code %v %q: is %v = %v", c.code, c.remark, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestARefusalNamesWhatWhereAndWhy(t *testing.T) {
	err := &Error{Op: OpPutTopic, Code: CodeInvalidParameter, Addr: "10.0.0.1:10911", Remark: "bad name" + strings.Repeat("x", 300) + "\n\tat java.lang.Thread"}
	got := err.Error()
	if !strings.HasPrefix(got, "UPDATE_AND_CREATE_TOPIC at 10.0.0.1:10911: INVALID_PARAMETER (29): bad name") || strings.Contains(got, "java.lang") || len(got) > 350 {
		t.Errorf("got %s", got)
	}
	if got := (&Error{Op: 9999, Code: 4711, Addr: "a:1"}).Error(); got != "REQUEST_9999 at a:1: CODE_4711 (4711)" {
		t.Errorf("got %s", got)
	}
}

func TestAnEndedContextIsNoneOfTheKinds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := NewClient(Config{})
	defer c.Close()
	_, err := c.Do(ctx, "192.0.2.1:1", OpMaxOffset, nil, nil)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// The signature of a request computed by hand, with openssl:
//
//	printf 'akTokenvalue-avalue-zbody' | openssl dgst -sha1 -hmac secret -binary | base64
func TestASignatureCoversValuesInOrderOfTheirNames(t *testing.T) {
	fields := Fields{{"zz", "value-z"}, {"aa", "value-a"}}
	var s signer
	got := s.sign(Credentials{AccessKey: "ak", SecretKey: "secret", SecurityToken: "Token"}, fields, []byte("body"))
	if got.Get("Signature") != "XYuiqjITG20nyujP2dYvOh0tPRI=" {
		t.Errorf("signed %s", got.Get("Signature"))
	}
	if !slices.Equal(fields, Fields{{"zz", "value-z"}, {"aa", "value-a"}}) {
		t.Errorf("the caller's fields became %v", fields)
	}
}

func TestTags(t *testing.T) {
	for expression, want := range map[string][]string{
		"":            nil,
		"*":           nil,
		"A":           {"A"},
		" A || B||A ": {"A", "B"},
	} {
		if got := (Subscription{Expression: expression}).Tags(); !slices.Equal(got, want) {
			t.Errorf("%q: got %v", expression, got)
		}
	}
	// As Java 17 computes them.
	for tag, want := range map[string]int32{"": 0, "TagA": 2598919, "order-paid-very-long": 90940241, "ü😀": 2015071} {
		if got := JavaHash(tag); got != want {
			t.Errorf("hash of %q: got %d, want %d", tag, got, want)
		}
	}
}
