// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"encoding/json"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

// Client says where a witness connects and as whom.
type Client struct {
	// NameServer is the name server's address, host:port. Required.
	NameServer string `json:"nameServer"`
	// Group is the producer or consumer group. Required; a consumer group must exist.
	Group string `json:"group"`
	// Topic is where to send, or what to subscribe to. Required; it must exist.
	Topic string `json:"topic"`
	// AccessKey and SecretKey sign requests. Default: unsigned.
	AccessKey string `json:"accessKey,omitempty"`
	SecretKey string `json:"secretKey,omitempty"`
}

// As returns a copy that signs its requests as user.
func (c Client) As(user rocketmq.User) Client {
	c.AccessKey, c.SecretKey = user.Name, user.Password
	return c
}

// ConsumeOptions says what a consumer does.
type ConsumeOptions struct {
	Client
	// Tags is a tag expression, such as "A || B". Default: every message. SQL is an SQL92 expression instead.
	Tags string `json:"tags"`
	SQL  string `json:"sql,omitempty"`
	// Orderly consumes queue by queue in order. Default: concurrently.
	Orderly bool `json:"orderly,omitempty"`
	// Failures is how many attempts at each message fail, for the broker (orderly: the client) to try again. Default 0.
	Failures int `json:"failures,omitempty"`
	// MaxReconsumeTimes is how many attempts follow the first before the message is a dead letter. Default: RocketMQ's.
	MaxReconsumeTimes int `json:"maxReconsumeTimes,omitempty"`
}

// Message is one attempt at a message, as the consumer's listener got it.
type Message struct {
	ID             string            `json:"id"`
	Topic          string            `json:"topic"`
	Keys           string            `json:"keys"` // separated by spaces
	Tags           string            `json:"tags"`
	Body           []byte            `json:"body"` // decompressed
	QueueID        int               `json:"queueID"`
	QueueOffset    int64             `json:"queueOffset"`
	ReconsumeTimes int               `json:"reconsumeTimes"` // 0 at the first attempt
	BornMillis     int64             `json:"bornMillis"`     // since the epoch, by the producer's clock
	StoredMillis   int64             `json:"storedMillis"`   // since the epoch, by the broker's clock: when it could first be read
	Properties     map[string]string `json:"properties"`     // RocketMQ's own included
}

// ProduceOptions says how a producer sends.
type ProduceOptions struct {
	Client
	// Compression is ZLIB, LZ4 or ZSTD. Bodies above 4 KiB are compressed. Default ZLIB.
	Compression string `json:"-"`
}

// OutMessage is a message to be sent.
type OutMessage struct {
	Keys       string            `json:"keys,omitempty"` // separated by spaces
	Tags       string            `json:"tags,omitempty"`
	Body       []byte            `json:"body"`
	Properties map[string]string `json:"properties,omitempty"` // the user's own
	// DelayLevel is RocketMQ's, 1 to 18. Default: at once.
	DelayLevel int `json:"delayLevel,omitempty"`
	// Delay is how long the broker keeps it back, in whole milliseconds; at most one of it and DelayLevel. Default: at once.
	Delay time.Duration `json:"-"`
	// ShardingKey sends all messages with the same key to the same queue. Default: queues take turns.
	ShardingKey string `json:"shardingKey,omitempty"`
}

// MarshalJSON writes the delay in milliseconds, which is what Java takes.
func (m OutMessage) MarshalJSON() ([]byte, error) {
	type plain OutMessage
	return json.Marshal(struct {
		plain
		DelayMillis int64 `json:"delayMillis,omitempty"`
	}{plain(m), m.Delay.Milliseconds()})
}

// Stored is where the broker put a message.
type Stored struct {
	ID          string `json:"id"`
	Status      string `json:"status"` // SEND_OK, or that it is stored less durably than asked
	Broker      string `json:"broker"`
	QueueID     int    `json:"queueID"`
	QueueOffset int64  `json:"queueOffset"`
}
