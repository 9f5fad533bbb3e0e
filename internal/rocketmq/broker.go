// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// BrokerConfig is a broker's own configuration, by Java property name.
type BrokerConfig map[string]string

// Properties of [BrokerConfig] that decide what a group may use.
const (
	PropertyFilter  = "enablePropertyFilter"        // SQL92 subscriptions
	TimerWheel      = "timerWheelEnable"            // delays to the second instead of in levels
	AutoCreateTopic = "autoCreateTopicEnable"       // topics made by sending to them
	AutoCreateGroup = "autoCreateSubscriptionGroup" // groups made by joining them
	AuthEnabled     = "authenticationEnabled"       // requests must be signed
	DelayLevels     = "messageDelayLevel"           // "1s 5s 10s …"
	ReservedHours   = "fileReservedTime"            // for how long messages are kept; then they are deleted at
	DeleteWhen      = "deleteWhen"                  // these hours of the broker's day, "04" or "04;16", or at once where the disk is fuller than
	DiskUsePercent  = "diskMaxUsedSpaceRatio"       // so much
)

// Enabled reports whether a boolean property is "true".
func (b BrokerConfig) Enabled(property string) bool { return b[property] == "true" }

// BrokerConfig reads the configuration of one broker.
func (c *Client) BrokerConfig(ctx context.Context, addr string) (BrokerConfig, error) {
	r, err := c.Do(ctx, addr, OpBrokerConfig, nil, nil)
	if err != nil {
		return nil, err
	}
	config := BrokerConfig{}
	for line := range strings.Lines(string(r.Body)) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			config[name] = value
		}
	}
	return config, nil
}

// Retention is for how long the broker keeps messages, from [ReservedHours]; false where that is no number of hours.
func (b BrokerConfig) Retention() (time.Duration, bool) {
	hours, err := strconv.ParseInt(b[ReservedHours], 10, 32)
	return time.Duration(hours) * time.Hour, err == nil && hours > 0
}

// longestDelay is beyond what any broker keeps messages for.
const longestDelay = 3650 * 24 * time.Hour

// ParseDelayLevels reads the property [DelayLevels] as brokers do: whole numbers of s, m, h or d. There is one level at least, or an error.
func ParseDelayLevels(text string) ([]time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	var levels []time.Duration
	for _, word := range strings.Fields(text) {
		number, unit := word[:len(word)-1], units[word[len(word)-1]]
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit == 0 || n < 0 || n > int64(longestDelay/unit) {
			return nil, fmt.Errorf("%.20q is no delay level like 30s, 5m, 2h or 1d", word)
		}
		levels = append(levels, time.Duration(n)*unit)
	}
	if levels == nil {
		return nil, errors.New("there are no delay levels")
	}
	return levels, nil
}

// BrokerRuntime is what a broker says of its running self, by its own names.
type BrokerRuntime map[string]string

// Version is the broker's version as it writes it, e.g. "V5_5_0".
func (b BrokerRuntime) Version() string { return b["brokerVersionDesc"] }

// DiskUse is how full the disk of the messages is, 0 to 1; false where the broker does not tell.
func (b BrokerRuntime) DiskUse() (float64, bool) {
	used, err := strconv.ParseFloat(b["commitLogDiskRatio"], 64)
	return used, err == nil && used >= 0
}

// BrokerRuntime reads the runtime figures of one broker. One that has just started has none for a second, and is asked again.
func (c *Client) BrokerRuntime(ctx context.Context, addr string) (BrokerRuntime, error) {
	var reply struct {
		Table BrokerRuntime `json:"table"`
	}
	for tries := 0; ; tries++ {
		err := c.ask(ctx, addr, OpBrokerRuntime, nil, nil, &reply)
		if tries == youngTries || !young(err) {
			return reply.Table, err
		}
		select {
		case <-time.After(youngPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

const (
	youngTries = 8
	youngPause = 250 * time.Millisecond
)

// young says of an error that the broker took no sample of its figures yet: 5.5.0 looks for the last one of an empty list.
func young(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Code == CodeSystemError && strings.Contains(refusal.Remark, "NoSuchElementException")
}
