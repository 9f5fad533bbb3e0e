// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"encoding/json"
	"fmt"
)

// lockBody is the body of requests 41 and 42.
type lockBody struct {
	Group  string  `json:"consumerGroup"`
	Owner  string  `json:"clientId"`
	Queues []Queue `json:"mqSet"`
}

// Lock takes or renews the group's locks on queues of one broker for owner, and
// returns those that owner holds now; one held by another name is left out, which
// is no error. The broker keeps locks in memory only and drops one 60 s after it
// was last taken. It checks nothing: not that the topic, the group or the owner
// exist. Only a master has locks.
func (c *Client) Lock(ctx context.Context, addr, group, owner string, queues []Queue) ([]Queue, error) {
	body, err := json.Marshal(lockBody{group, owner, queues})
	if err != nil {
		return nil, fmt.Errorf("write a lock request: %w", err)
	}
	var reply struct {
		Held []Queue `json:"lockOKMQSet"`
	}
	err = c.ask(ctx, addr, OpLock, nil, body, &reply)
	return reply.Held, err
}

// Unlock gives up what owner holds of the queues; a lock of another name stays.
// Anyone may say so for any owner. It must not be sent before the reply to the
// last commit has come.
func (c *Client) Unlock(ctx context.Context, addr, group, owner string, queues []Queue) error {
	body, err := json.Marshal(lockBody{group, owner, queues})
	if err != nil {
		return fmt.Errorf("write an unlock request: %w", err)
	}
	return c.tell(ctx, addr, OpUnlock, nil, body)
}
