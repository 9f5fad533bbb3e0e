// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// line is what these tests look at.
type line struct {
	Msg, Level, Group, Reason, Detail string
	Queue                             int
	Suppressed                        int
}

func linesOf(t *testing.T, out *bytes.Buffer) (lines []line) {
	t.Helper()
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

type failing struct{ detail func() string }

func (f failing) Handle(context.Context, *message.Message, string) outcome.Outcome {
	return outcome.RetryLater(0, "Timeout", f.detail())
}

// fails sends messages at a rate through a delivery whose third party is down.
func fails(t *testing.T, log *slog.Logger, seconds int, detail func() string) {
	t.Helper()
	d, err := delivery.New(delivery.Config{
		Handler: failing{detail}, Structure: worker.Structure{Retry: worker.Retry{MaxAttempts: 3, MaxDuration: worker.Duration(time.Hour)}},
		Clock: func() (time.Time, bool) { return time.Now(), true }, Observer: New(structure), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range seconds * 500 {
		d.Handle(t.Context(), &rocketmq.Message{Body: []byte("{}")})
		time.Sleep(time.Second / 500)
	}
}

func TestADeadThirdPartyWritesFewLinesAndTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		fails(t, OfGroup(NewLogger(&out, slog.LevelInfo), structure), 60, func() string { return "adapter sms" })
		time.Sleep(2 * sampleInterval)
		synctest.Wait()
		lines, told := linesOf(t, &out), 0
		for _, l := range lines {
			if told++; l.Suppressed > 0 {
				told += l.Suppressed - 1
			}
			if l.Msg != "message not done" || l.Level != "WARN" || l.Reason != "Timeout" || l.Detail != "adapter sms" || l.Group != "g" {
				t.Fatalf("got %+v", l)
			}
		}
		if want := 60 * 500; told != want {
			t.Errorf("the log tells of %d failures, there were %d", told, want)
		}
		if most := 7 * (sampleFirst + 1); len(lines) > most {
			t.Errorf("%d lines, want at most %d", len(lines), most)
		}
	})
}

func TestAnotherFailureIsSeenAmongThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		n := 0
		fails(t, NewLogger(&out, slog.LevelInfo), 10, func() string {
			if n++; n%1000 == 0 {
				return "adapter points"
			}
			return "adapter sms"
		})
		time.Sleep(2 * sampleInterval)
		synctest.Wait()
		seen := 0
		for _, l := range linesOf(t, &out) {
			if l.Detail == "adapter points" {
				seen++
			}
		}
		if seen != 5 {
			t.Errorf("%d of 5 failures of the other adapter are in the log", seen)
		}
	})
}

func TestWhatIsToldApartIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		n := 0
		fails(t, NewLogger(&out, slog.LevelInfo), 5, func() string { n++; return fmt.Sprint("after ", n) })
		time.Sleep(2 * sampleInterval)
		synctest.Wait()
		if lines := len(linesOf(t, &out)); lines > maxFailures+sampleFirst+1 {
			t.Errorf("%d lines of 2500 failures", lines)
		}
	})
}

func TestChangesOfStateAreNeverLeftOut(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelInfo)
	for i := range 100 {
		log.Warn("queue lost", "queue", i, "offset", 7)
	}
	if lines := linesOf(t, &out); len(lines) != 100 || lines[99].Queue != 99 {
		t.Errorf("%d lines of 100", len(lines))
	}
}
