// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

// leaveTimeout is how long a consumer may take to leave its group before it is killed.
const leaveTimeout = 30 * time.Second

// Consume starts a consumer and returns, once it has joined its group, what it gets: every attempt at every message. The
// consumer leaves and the channel is closed when the test ends; a test may stop reading before.
func Consume(t testing.TB, o ConsumeOptions) <-chan Message {
	t.Helper()
	if o.Tags == "" {
		o.Tags = "*"
	}
	cmd := command(context.Background(), t, "Consumer", o) // it is still to leave the group when the test's context has ended
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("connect the consumer: %v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("connect the consumer: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the consumer: %v", err)
	}
	reading, stop := context.WithCancel(context.Background())
	messages, started, ended := make(chan Message, unread), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(messages)
		ended <- read(reading, json.NewDecoder(stdout), started, messages)
	}()
	t.Cleanup(func() {
		stop()
		stdin.Close()
		kill := time.AfterFunc(leaveTimeout, func() { _ = cmd.Process.Kill() }) // Wait tells
		defer kill.Stop()
		if err := errors.Join(<-ended, cmd.Wait()); err != nil {
			t.Errorf("the consumer ended badly: %v", err)
		}
	})
	select {
	case <-started:
	case err := <-ended:
		ended <- err // for the cleanup
		t.Fatal("the consumer did not start, see its output")
	}
	return messages
}

// unread is how many messages are kept for who reads slowly.
const unread = 1024

// read passes on what the consumer prints until it ends. What nobody reads is dropped once ctx has ended, or the consumer could not end. It closes
// started at the first line.
func read(ctx context.Context, from *json.Decoder, started chan<- struct{}, to chan<- Message) error {
	for first := true; ; first = false {
		var m Message
		if err := from.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if first {
			close(started)
			continue
		}
		select {
		case to <- m:
			continue
		default:
		}
		select {
		case to <- m:
		case <-ctx.Done():
		}
	}
}

// Produce sends the messages one after the other and returns where each was stored. It fails the test if the broker does
// not take one.
func Produce(t testing.TB, o ProduceOptions, messages ...OutMessage) []Stored {
	t.Helper()
	var java []string
	if o.Compression != "" {
		java = []string{"-Drocketmq.message.compressType=" + o.Compression}
	}
	var in, out bytes.Buffer
	for _, m := range messages {
		if err := json.NewEncoder(&in).Encode(m); err != nil {
			t.Fatalf("encode a message: %v", err)
		}
	}
	cmd := command(t.Context(), t, "Producer", o, java...)
	cmd.Stdin, cmd.Stdout = &in, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("the producer failed, see its output: %v", err)
	}
	var stored []Stored
	for decoder := json.NewDecoder(&out); ; {
		var s Stored
		err := decoder.Decode(&s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("read what the producer printed: %v", err)
		}
		stored = append(stored, s)
	}
	if len(stored) != len(messages) {
		t.Fatalf("the producer sent %d of %d messages", len(stored), len(messages))
	}
	return stored
}

// Administered is a RocketMQ that mqadmin can be run against; see the package broker.
type Administered interface {
	Admin(ctx context.Context, args ...string) (string, error)
}

// MQAdmin runs mqadmin and returns what it printed, which has to have the word. args are the command and its flags without the name
// server.
func MQAdmin(t testing.TB, mq Administered, word string, args ...string) string {
	t.Helper()
	out, err := rocketmq.AdminUntil(func() (string, error) { return mq.Admin(t.Context(), args...) }, word)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
