// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "context"

// DelayTopic is where a broker keeps messages until their delay is over, those of
// level n in queue n-1, in the order in which they fall due. PropertyRealTopic
// is the topic of one.
const (
	DelayTopic        = "SCHEDULE_TOPIC_XXXX"
	PropertyRealTopic = "REAL_TOPIC"
)

// DelayOffsets reads how far a broker has come with the messages of each delay
// level, in queue level-1 of [DelayTopic]. A level it never had a message of may
// be missing.
func (c *Client) DelayOffsets(ctx context.Context, addr string) (map[int]int64, error) {
	var reply struct {
		Offsets map[int]int64 `json:"offsetTable"`
	}
	err := c.ask(ctx, addr, OpDelayOffsets, nil, nil, &reply)
	return reply.Offsets, err
}
