// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
)

// RetryTopic is the topic in which a group's messages wait for another attempt.
func RetryTopic(group string) string { return retryPrefix + group }

// DeadLetterTopic is the topic in which a group's given-up messages end.
func DeadLetterTopic(group string) string { return deadLetterPrefix + group }

const (
	retryPrefix      = "%RETRY%"
	deadLetterPrefix = "%DLQ%"
)

// GroupConfig is a consumer group as one broker holds it. Write back what was
// read, changed: a field that is missing from what a broker is sent takes the
// broker's default instead of staying as it was.
type GroupConfig struct {
	Name            string `json:"groupName"`
	ConsumeEnable   bool   `json:"consumeEnable"`
	FromMinEnable   bool   `json:"consumeFromMinEnable"`
	BroadcastEnable bool   `json:"consumeBroadcastEnable"`
	Orderly         bool   `json:"consumeMessageOrderly"`
	RetryQueues     int    `json:"retryQueueNums"`
	RetryMaxTimes   int    `json:"retryMaxTimes"`
	BrokerID        int64  `json:"brokerId"`
	SlowBrokerID    int64  `json:"whichBrokerWhenConsumeSlowly"`
	NotifyMembers   bool   `json:"notifyConsumerIdsChangedEnable"`
	SysFlag         int    `json:"groupSysFlag"`
	TimeoutMinutes  int    `json:"consumeTimeoutMinute"`
	// Attributes are those of 5.x.
	Attributes map[string]string `json:"attributes"`
	// Other holds the fields this package does not know, written back as read.
	Other map[string]json.RawMessage `json:"-"`
}

// NewGroupConfig is a group with the defaults of a 5.5.0 broker.
func NewGroupConfig(name string) GroupConfig {
	return GroupConfig{
		Name:            name,
		ConsumeEnable:   true,
		FromMinEnable:   true,
		BroadcastEnable: true,
		RetryQueues:     1,
		RetryMaxTimes:   16,
		SlowBrokerID:    1,
		NotifyMembers:   true,
		TimeoutMinutes:  15,
	}
}

// plainGroup is a GroupConfig without its methods.
type plainGroup GroupConfig

// UnmarshalJSON keeps what it does not know in Other.
func (g *GroupConfig) UnmarshalJSON(text []byte) error {
	var all, known map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if err := json.Unmarshal(text, (*plainGroup)(g)); err != nil {
		return err
	}
	written, err := json.Marshal((*plainGroup)(g))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(written, &known); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		_, ok := known[name]
		return ok
	})
	g.Other = all
	return nil
}

// MarshalJSON writes the known fields over Other.
func (g GroupConfig) MarshalJSON() ([]byte, error) {
	written, err := json.Marshal(plainGroup(g))
	if err != nil {
		return nil, err
	}
	all := maps.Clone(g.Other)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(written, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// PutGroup creates the group at one broker, or overwrites it. Attributes are
// added or altered, never removed.
func (c *Client) PutGroup(ctx context.Context, addr string, g GroupConfig) error {
	changes := make(map[string]string, len(g.Attributes))
	for name, value := range g.Attributes {
		changes["+"+name] = value
	}
	g.Attributes = changes
	body, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("write the group %s: %w", g.Name, err)
	}
	return c.tell(ctx, addr, OpPutGroup, nil, body)
}

// GroupConfig reads the group as one broker holds it; [ErrNotFound] if it does
// not. A broker with autoCreateSubscriptionGroup makes the group by being asked.
func (c *Client) GroupConfig(ctx context.Context, addr, group string) (GroupConfig, error) {
	var g GroupConfig
	err := c.ask(ctx, addr, OpGroupConfig, Fields{{"group", group}}, nil, &g)
	return g, err
}

// groupPage is how many groups a broker is asked for at once.
const groupPage = 1000

// Groups reads all groups of one broker by name, its own system groups included.
func (c *Client) Groups(ctx context.Context, addr string) (map[string]GroupConfig, error) {
	groups := map[string]GroupConfig{}
	version := ""
	for {
		fields := Fields{{"groupSeq", itoa(len(groups))}, {"maxGroupNum", itoa(groupPage)}}
		if version != "" {
			fields = append(fields, Field{"dataVersion", version})
		}
		r, err := c.Do(ctx, addr, OpAllGroups, fields, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Version json.RawMessage        `json:"dataVersion"`
			Groups  map[string]GroupConfig `json:"subscriptionGroupTable"`
		}
		if err := decodeJSON(r.Body, &page); err != nil {
			return nil, fmt.Errorf("read the reply to %v of %s: %w", OpAllGroups, addr, err)
		}
		if version != "" && version != string(page.Version) { // changed meanwhile: the pages do not fit together
			clear(groups)
			version = ""
			continue
		}
		version = string(page.Version)
		maps.Copy(groups, page.Groups)
		if total, err := r.field64("totalGroupNum"); err != nil || len(page.Groups) == 0 || len(groups) >= int(total) {
			return groups, nil //nolint:nilerr // a broker without paging sends no total, and everything
		}
	}
}

// DeleteGroup removes the group from one broker, together with the offsets it
// committed if asked to. Its retry and dead-letter topics stay. A group that does
// not exist is no error.
func (c *Client) DeleteGroup(ctx context.Context, addr, group string, offsets bool) error {
	return c.tell(ctx, addr, OpDeleteGroup, Fields{{"groupName", group}, {"cleanOffset", fmt.Sprint(offsets)}}, nil)
}
