// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/orderflow-dev/orderflow/internal/expression"
)

// Key is the idempotency key of a step: base32(sha256(group ‖ business key ‖ step)) without padding, 52 characters. Each part, and each part of the
// business key, is preceded by its length in bytes as 8 bytes, big endian: so ("a", "bc") and ("ab", "c") are two keys.
func Key(group string, business []string, step string) string {
	hash := sha256.New()
	write := func(part string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	write(group)
	for _, part := range business {
		write(part)
	}
	write(step)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash.Sum(nil))
}

// BusinessKey says which messages are the same business event: the result of the expression, or without one the order's id and event type, which may
// be the CloudEvent's. Where there are not both it is the CloudEvent's source and id, or, of what is none, the message's ID. Its parts are for Key.
func (m *Message) BusinessKey(ctx context.Context, expr *expression.Program) ([]string, error) {
	if expr != nil {
		key, err := expr.String(ctx, expression.OfMessage(m))
		if err == nil && key == "" {
			err = errors.New("idempotency.keyExpression: the key is empty")
		}
		return []string{key}, err
	}
	id, hasID := m.text("id")
	kind, hasKind := m.text("eventType")
	if !hasKind {
		kind = m.event.Attributes["type"]
	}
	if hasID && kind != "" {
		return []string{id, kind}, nil
	}
	if m.event.Attributes != nil {
		return []string{m.event.Attributes["source"], m.event.Attributes["id"]}, nil
	}
	return []string{m.ID()}, nil
}

// text is a field that is a text or an integer, and not empty.
func (m *Message) text(name string) (string, bool) {
	switch v, _ := m.Field(name); v := v.(type) {
	case string:
		return v, v != ""
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}
