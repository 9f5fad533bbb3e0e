// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// Delay says when consumers see a message, in one of three ways. The zero value is at once.
//
// Until and For need the broker's timer wheel (timerWheelEnable, on by default in 5.x): else ErrTimerOff. They are precise to
// about a second, and a time further away than the broker's timerMaxDelaySec, 3 days by default, is ErrDelayTooLong. A level
// works everywhere.
type Delay struct {
	// Level counts the broker's messageDelayLevel from 1; by default 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h.
	// A level above the broker's highest counts as the highest: the broker does not refuse it.
	Level int `json:",omitempty"`
	// Until is a time, by the broker's clock. One that has passed is at once.
	Until time.Time `json:",omitzero"`
	// For counts from when the broker stores the message: from an outbox, from when it is relayed.
	For time.Duration `json:",omitempty"`
}

// propertyTimerDelayMillis is one the library has no name for.
const propertyTimerDelayMillis = "TIMER_DELAY_MS"

func (d Delay) validate() error {
	ways := 0
	for _, used := range []bool{d.Level != 0, !d.Until.IsZero(), d.For != 0} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("a delay is a level, a time or a duration: set one of Level, Until and For")
	case d.Level < 0 || d.For < 0:
		return errors.New("a delay cannot be negative")
	case !d.Until.IsZero() && d.Until.UnixMilli() <= 0:
		return errors.New("the time of a delay is before 1970")
	}
	return nil
}

// apply sets the property that the broker reads.
func (d Delay) apply(msg *primitive.Message) {
	switch {
	case d.Level > 0:
		msg.WithDelayTimeLevel(d.Level)
	case !d.Until.IsZero():
		msg.WithProperty(primitive.PropertyTimerDeliverMS, strconv.FormatInt(d.Until.UnixMilli(), 10))
	case d.For > 0:
		millis := (d.For + time.Millisecond - 1).Milliseconds() // never earlier than asked
		msg.WithProperty(propertyTimerDelayMillis, strconv.FormatInt(millis, 10))
	}
}
