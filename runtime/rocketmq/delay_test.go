// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestADelayedMessageIsStoredWhenItsTimeHasCome(t *testing.T) {
	mq := broker.Shared(t)
	cfg := config(t, mq)
	normal := topicOf(cfg.Topic, 1) // The type of a topic matters to the proxy only.
	normal.Attributes = map[string]string{"message.type": "NORMAL"}
	rocketmqtest.CreateTopicOf(t, mq, normal)
	c := open(t, cfg)
	waitReady(t, c)
	until := time.Now().Add(2 * time.Second)
	want := map[string]time.Duration{"a level": time.Second, "a duration": 1500 * time.Millisecond, "a time": 0, "a time that has passed": 0}
	for name, delay := range map[string]Delay{
		"a level": {Level: 1}, "a duration": {For: want["a duration"]}, "a time": {Until: until}, "a time that has passed": {Until: time.UnixMilli(1)},
	} {
		if _, err := send(t, c, Message{Delay: delay, Body: []byte(name)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, patience, func() error {
		if n := len(rocketmqtest.Messages(t, mq, c.cfg.Topic)); n != len(want) {
			return fmt.Errorf("%d messages stored, want %d", n, len(want))
		}
		return nil
	})
	for _, m := range rocketmqtest.Messages(t, mq, c.cfg.Topic) {
		took, name := m.StoredAt().Sub(m.BornAt()), string(m.Body)
		t.Logf("%s: %v", name, took)
		if took < want[name] || name == "a time" && m.StoredAt().Before(until.Truncate(time.Millisecond)) {
			t.Errorf("%s: visible after %v, too early", name, took)
		}
	}
}

func TestATopicOfAnyTypeTakesAnyMessage(t *testing.T) {
	mq := broker.Shared(t)
	for _, kind := range []string{"FIFO", "DELAY", "TRANSACTION"} {
		cfg := config(t, mq)
		topic := topicOf(cfg.Topic, 1)
		topic.Attributes = map[string]string{"message.type": kind}
		rocketmqtest.CreateTopicOf(t, mq, topic)
		c := open(t, cfg)
		waitReady(t, c)
		for name, msg := range map[string]Message{
			"plain": {Body: body(1)}, "in order": {OrderKey: "k", Body: body(1)}, "delayed": {Delay: Delay{Level: 1}, Body: body(1)},
		} {
			if _, err := send(t, c, msg); err != nil {
				t.Errorf("%s topic, message %s: %v", kind, name, err)
			}
		}
	}
}

func TestADelayThatIsTooLongIsRefusedForGood(t *testing.T) {
	c := newClient(t, broker.Shared(t))
	for name, delay := range map[string]Delay{"for": {For: 96 * time.Hour}, "until": {Until: time.Now().Add(96 * time.Hour)}} {
		_, err := send(t, c, Message{Delay: delay, Body: body(1)})
		if sendErr := new(SendError); !errors.Is(err, ErrDelayTooLong) || !errors.As(err, &sendErr) || !sendErr.Permanent() {
			t.Errorf("%s 4 days: %v, want ErrDelayTooLong, permanent", name, err)
		}
	}
}

// timerIsOff is a part of TestFaults, whose broker has it off.
func timerIsOff(t *testing.T, mq *rocketmq.Cluster) {
	c := newClient(t, mq)
	if _, err := send(t, c, Message{Delay: Delay{For: time.Second}, Body: body(1)}); !errors.Is(err, ErrTimerOff) || fateOf(t, err) != Refused {
		t.Errorf("a duration: %v, want ErrTimerOff, refused", err)
	}
	if _, err := send(t, c, Message{Delay: Delay{Level: 1}, Body: body(1)}); err != nil {
		t.Errorf("a level: %v, want it taken", err)
	}
}
