// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// ExpressionType says how a subscription's expression is read.
type ExpressionType string

// Tags ("*", "A || B") work anywhere; SQL92 only at a broker with
// enablePropertyFilter.
const (
	TypeTag   ExpressionType = "TAG"
	TypeSQL92 ExpressionType = "SQL92"
)

// Subscription is what a group wants of one topic.
type Subscription struct {
	Topic      string
	Type       ExpressionType // empty = TypeTag
	Expression string         // empty = "*"
	// Version orders the subscriptions of one group: milliseconds since 1970 at
	// which it was made. A broker keeps the highest.
	Version int64
}

// Tags are the tags a TAG expression names; none means all.
func (s Subscription) Tags() []string {
	if s.Type == TypeSQL92 || s.Expression == "" || s.Expression == "*" {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(s.Expression, "||") {
		if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Selects reports whether there may be messages that do not match.
func (s Subscription) Selects() bool { return s.Type == TypeSQL92 || len(s.Tags()) > 0 }

// subscriptionJSON is the wire's shape.
type subscriptionJSON struct {
	Topic       string         `json:"topic"`
	Expression  string         `json:"subString"`
	Tags        []string       `json:"tagsSet"`
	Hashes      []int32        `json:"codeSet"`
	Version     int64          `json:"subVersion"`
	Type        ExpressionType `json:"expressionType"`
	ClassFilter bool           `json:"classFilterMode"`
}

// MarshalJSON writes the subscription with its tags and their hashes.
func (s Subscription) MarshalJSON() ([]byte, error) {
	w := subscriptionJSON{Topic: s.Topic, Expression: s.expression(), Tags: []string{}, Hashes: []int32{}, Version: s.Version, Type: s.expressionType()}
	for _, tag := range s.Tags() {
		w.Tags = append(w.Tags, tag)
		w.Hashes = append(w.Hashes, JavaHash(tag))
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads a subscription as brokers list it.
func (s *Subscription) UnmarshalJSON(text []byte) error {
	var w subscriptionJSON
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*s = Subscription{Topic: w.Topic, Type: w.Type, Expression: w.Expression, Version: w.Version}
	return nil
}

func (s Subscription) expression() string { return cmp.Or(s.Expression, "*") }

func (s Subscription) expressionType() ExpressionType { return cmp.Or(s.Type, TypeTag) }

// JavaHash is Java's String.hashCode, by which brokers filter tags.
func JavaHash(s string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(unit)
	}
	return h
}

// Heartbeat is what a client tells a broker about itself.
type Heartbeat struct {
	ClientID  string       `json:"clientID"`
	Producers []Producer   `json:"producerDataSet"`
	Consumers []Membership `json:"consumerDataSet"`
}

// Producer is a client's part in a producer group.
type Producer struct {
	Group string `json:"groupName"`
}

// Membership is a client's part in a consumer group. The zero values of the
// enumerations are filled in: passive (push), clustering, from the first offset.
type Membership struct {
	Group         string         `json:"groupName"`
	ConsumeType   string         `json:"consumeType"`      // CONSUME_PASSIVELY or CONSUME_ACTIVELY
	Model         string         `json:"messageModel"`     // CLUSTERING or BROADCASTING
	From          string         `json:"consumeFromWhere"` // CONSUME_FROM_FIRST_OFFSET or …_LAST_OFFSET
	Subscriptions []Subscription `json:"subscriptionDataSet"`
	UnitMode      bool           `json:"unitMode"`
}

// Heartbeat registers the client with one broker, for as long as the connection
// it travels on lives: send it again on a new one, and every 10 to 30 s. A group
// whose subscriptions differ from those of its other members disturbs them all.
// Include the retry topic; a broker makes it if need be.
func (c *Client) Heartbeat(ctx context.Context, addr string, hb Heartbeat) error {
	hb.Producers = append([]Producer{}, hb.Producers...) // never null
	hb.Consumers = append([]Membership{}, hb.Consumers...)
	for i := range hb.Consumers {
		m := &hb.Consumers[i]
		m.ConsumeType = cmp.Or(m.ConsumeType, "CONSUME_PASSIVELY")
		m.Model = cmp.Or(m.Model, "CLUSTERING")
		m.From = cmp.Or(m.From, "CONSUME_FROM_FIRST_OFFSET")
		m.Subscriptions = append([]Subscription{}, m.Subscriptions...)
	}
	body, err := json.Marshal(hb)
	if err != nil {
		return fmt.Errorf("write a heartbeat: %w", err)
	}
	return c.tell(ctx, addr, OpHeartbeat, nil, body)
}

// The two ways in which a broker refuses a subscription.
var (
	// ErrNoFilter: the broker has enablePropertyFilter off, so that nobody gets a message by SQL92.
	ErrNoFilter = errors.New("the broker does not filter by properties")
	// ErrExpression: the expression cannot be read.
	ErrExpression = errors.New("the expression cannot be read")
)

// CheckSubscription asks one broker whether a group could subscribe so; a subscription that it refuses is an [ErrNoFilter] or an [ErrExpression]. A
// heartbeat tells neither, and a pull only the first member. Tags are never refused.
func (c *Client) CheckSubscription(ctx context.Context, addr, group string, s Subscription) error {
	body, err := json.Marshal(struct {
		ClientID     string       `json:"clientId"`
		Group        string       `json:"group"`
		Subscription Subscription `json:"subscriptionData"`
	}{group, group, s})
	if err != nil {
		return fmt.Errorf("write the subscription to %s: %w", s.Topic, err)
	}
	err = c.tell(ctx, addr, OpCheckSubscription, nil, body)
	var refusal *Error
	switch {
	case !errors.As(err, &refusal):
		return err
	case refusal.Code == CodeSubscriptionInvalid:
		return fmt.Errorf("%w: %w", ErrExpression, err)
	case refusal.Code == CodeSystemError && strings.HasPrefix(refusal.Remark, noFilter):
		return fmt.Errorf("%w: %w", ErrNoFilter, err)
	}
	return err
}

// noFilter begins the remark of a broker that does not filter.
const noFilter = "The broker does not support consumer to filter message"

// Unregister takes the client out of the group at one broker; the other members
// are notified. Not being a member is no error.
func (c *Client) Unregister(ctx context.Context, addr, clientID, group string) error {
	return c.tell(ctx, addr, OpUnregister, Fields{{"clientID", clientID}, {"consumerGroup", group}}, nil)
}

// Members lists the client ids of the group's members at one broker, sorted.
// Empty is no error.
func (c *Client) Members(ctx context.Context, addr, group string) ([]string, error) {
	var reply struct {
		IDs []string `json:"consumerIdList"`
	}
	err := c.ask(ctx, addr, OpMembers, Fields{{"consumerGroup", group}}, nil, &reply)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	slices.Sort(reply.IDs)
	return reply.IDs, err
}

// Connections is a group's members at one broker and what they agreed on.
type Connections struct {
	Members       []Connection            `json:"connectionSet"`
	Subscriptions map[string]Subscription `json:"subscriptionTable"` // by topic
	ConsumeType   string                  `json:"consumeType"`
	Model         string                  `json:"messageModel"`
	From          string                  `json:"consumeFromWhere"`
}

// Connection is one member.
type Connection struct {
	ClientID string `json:"clientId"`
	Addr     string `json:"clientAddr"` // ip:port as the broker sees it
	Language string `json:"language"`
	Version  int    `json:"version"`
}

// Connections lists the group's members at one broker; [ErrNotOnline] if it has
// none or is not known.
func (c *Client) Connections(ctx context.Context, addr, group string) (*Connections, error) {
	reply := new(Connections)
	if err := c.ask(ctx, addr, OpConnections, Fields{{"consumerGroup", group}}, nil, reply); err != nil {
		return nil, err
	}
	slices.SortFunc(reply.Members, func(a, b Connection) int { return strings.Compare(a.ClientID, b.ClientID) })
	return reply, nil
}
