// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"fmt"
	"hash/maphash"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// key is what a message's order goes by.
type key struct {
	// lane is a hash of the key, keyless for a message without one. Two keys of one hash share a lane, which keeps the order of both.
	lane uint64
	// flaw says why the key cannot be told; the message is not handled then.
	flaw error
}

// keyless is the lane of the messages of a queue that have no key.
const keyless = 0

// keys tells the order keys of messages, once for each, before they are in the window; nil: no order is kept.
func (c *Consumer) keys(messages []rocketmq.Message) []key {
	if c.cfg.OrderKey == nil {
		return nil
	}
	keys := make([]key, len(messages))
	for i := range messages {
		if messages[i].Err == nil { // else nobody can tell it
			keys[i] = c.key(&messages[i])
		}
	}
	return keys
}

func (c *Consumer) key(m *rocketmq.Message) (k key) {
	defer func() { // only the type: the value may hold data of the order
		if p := recover(); p != nil {
			k = key{flaw: fmt.Errorf("telling the order key panicked with a %T", p)}
		}
	}()
	text, err := c.cfg.OrderKey(m)
	if err != nil || text == "" {
		return key{flaw: err}
	}
	return key{lane: max(maphash.String(c.seed, text), keyless+1)}
}
