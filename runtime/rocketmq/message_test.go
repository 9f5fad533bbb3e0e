// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	rmqerrors "github.com/apache/rocketmq-client-go/v2/errors"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"
)

func TestMessageThatCanNeverBeSentSaysWhy(t *testing.T) {
	ok := []byte("x")
	tests := map[string]struct {
		msg  Message
		want string // part of the error; empty is valid
	}{
		"the largest body":                     {Message{Body: make([]byte, maxBodyBytes)}, ""},
		"keys, tag and properties":             {Message{Body: ok, Keys: []string{"o-1", "m-2"}, Tag: "OrderPaid", Properties: map[string]string{"a b": "c d"}}, ""},
		"an order key":                         {Message{Body: ok, OrderKey: "order 1"}, ""},
		"a delay":                              {Message{Body: ok, Delay: Delay{For: time.Microsecond}}, ""},
		"an order key that injects":            {Message{Body: ok, OrderKey: "a\x02DELAY\x013"}, "order key has a control character"},
		"two delays":                           {Message{Body: ok, Delay: Delay{Level: 1, For: 1}}, "set one of Level, Until and For"},
		"a delay into the past":                {Message{Body: ok, Delay: Delay{For: -1}}, "cannot be negative"},
		"an order of what is delayed":          {Message{Body: ok, OrderKey: "k", Delay: Delay{Level: 1}}, "without OrderKey, or without Delay"},
		"the name of the order key's property": {Message{Body: ok, Properties: map[string]string{"__SHARDINGKEY": "x"}}, "used by RocketMQ"},
		"no body":                              {Message{}, "body is empty"},
		"a body above the broker's limit":      {Message{Body: make([]byte, maxBodyBytes+1)}, "at most 4194304"},
		"a key with a blank":                   {Message{Body: ok, Keys: []string{"o 1"}}, `key "o 1"`},
		"an empty key":                         {Message{Body: ok, Keys: []string{""}}, `key ""`},
		"a tag that reads as two":              {Message{Body: ok, Tag: "A||B"}, "tag"},
		"a property RocketMQ uses itself":      {Message{Body: ok, Properties: map[string]string{"TAGS": "x"}}, `"TAGS" is empty or used by RocketMQ`},
		"a value that would inject a property": {Message{Body: ok, Properties: map[string]string{"a": "b\x02DELAY\x013"}}, "control character"},
		"properties longer than 16 bits tell":  {Message{Body: ok, Properties: map[string]string{"a": strings.Repeat("x", 1<<15)}}, "at most 31743"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.msg.Validate()
			if test.want == "" {
				if err != nil {
					t.Errorf("Validate: %v, want none", err)
				}
				return
			}
			if !errors.Is(err, ErrInvalidMessage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Validate: %v, want ErrInvalidMessage with %q", err, test.want)
			}
		})
	}
}

func TestConfigErrorsNameEverythingThatIsWrong(t *testing.T) {
	_, err := New(Config{
		NameServers: []string{"mq"}, SendTimeout: -1, MaxPendingBytes: 1,
		Credentials: Credentials{AccessKey: "me", SecurityToken: "canary-token"},
	})
	if err == nil {
		t.Fatal("New: no error")
	}
	for _, want := range []string{`"mq" is not of the form host:port`, "topic and producer group", "cannot be negative", "largest message", "belong together", "security tokens are not supported"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v\nwant it to contain %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("New shows a credential: %v", err)
	}
}

func TestLibraryErrorsTellTheFateOfTheMessage(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	write := &net.OpError{Op: "write", Err: errors.New("broken pipe")}
	tests := map[string]struct {
		err  error
		want SendError
		is   error
	}{
		"the broker's no":           {errors.New("CODE: 13, DESC: the message body size over max value"), SendError{Fate: Refused, Code: 13}, nil},
		"no route":                  {errors.New("topic=T route info not found"), SendError{Fate: Unsent}, ErrNoRoute},
		"not connected":             {dial, SendError{Fate: Unsent}, dial},
		"written in part":           {write, SendError{Fate: Unknown}, write},
		"no answer":                 {rmqerrors.ErrRequestTimeout, SendError{Fate: Unknown}, ErrTimeout},
		"shut down":                 {rmqerrors.ErrNotRunning, SendError{Fate: Unsent}, ErrClosed},
		"something never seen":      {errors.New("surprise"), SendError{Fate: Unknown}, nil},
		"a refusal beyond any code": {errors.New("CODE: 99999999999999999999, DESC: x"), SendError{Fate: Unknown}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := toSendError(test.err)
			if got.Fate != test.want.Fate || got.Code != test.want.Code {
				t.Errorf("toSendError(%v) = %v, code %d; want %v, %d", test.err, got.Fate, got.Code, test.want.Fate, test.want.Code)
			}
			if test.is != nil && !errors.Is(got, test.is) {
				t.Errorf("toSendError(%v) = %v, want it to be %v", test.err, got, test.is)
			}
		})
	}
}

func TestStoredButNotSafeIsNoSuccess(t *testing.T) {
	for status := primitive.SendOK; status <= primitive.SendUnknownError; status++ {
		room := newRoom(1, 1)
		if err := room.enter(1); err != nil {
			t.Fatal(err)
		}
		var got error
		p := newPending(room, Config{SendTimeout: patience}, "ID", 1, func(_ Receipt, err error) { got = err })
		p.watch(patience)
		p.answer(t.Context(), &primitive.SendResult{Status: status}, nil)
		want := Unknown
		if status == primitive.SendOK {
			want = 0
		}
		if fate := fateOf(t, got); fate != want {
			t.Errorf("send status %d: %v, want fate %v", status, got, want)
		}
	}
}

func TestMessageTheLibraryForgetsEndsByItsTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := newRoom(1, 1)
		if err := room.enter(1); err != nil {
			t.Fatal(err)
		}
		answers := make(chan error, 2)
		p := newPending(room, Config{SendTimeout: time.Second}, "ID", 1, func(_ Receipt, err error) { answers <- err })
		p.write = func() error { return nil }
		p.watch(time.Second)
		if err := p.begin(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(answers) != 0 {
			t.Error("answered before the library's own timeout could be")
		}
		time.Sleep(answerSlack)
		synctest.Wait()
		select {
		case err := <-answers:
			if fateOf(t, err) != Unknown || !errors.Is(err, ErrTimeout) {
				t.Errorf("answer %v, want a timeout of unknown fate", err)
			}
		default:
			t.Error("no answer when the time was over")
		}
		p.answer(t.Context(), &primitive.SendResult{Status: primitive.SendOK}, nil) // Late.
		if len(answers) != 0 || room.pending() != 0 || p.cancel() {
			t.Errorf("after a late answer: %d more answers, %d pending; want none", len(answers), room.pending())
		}
	})
}

func TestLogHasNoMessageBody(t *testing.T) {
	const canary = "canary-phone-13800000000"
	msg := primitive.NewMessage("T", []byte(canary))
	ext := &primitive.MessageExt{Message: primitive.Message{Body: []byte(canary)}}
	fields := map[string]any{
		"message": msg, "messages": []*primitive.Message{msg}, "ext": ext, "exts": []*primitive.MessageExt{ext}, "topic": "T",
	}
	var out bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
		a := logAdapter{logger: slog.New(handler)}
		for _, log := range []func(string, map[string]any){a.Debug, a.Info, a.Warning, a.Error, a.Fatal} {
			log("said", fields)
		}
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), "Body"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the log shows a message's body, as %q:\n%s", form, out.String())
		}
	}
	if n := strings.Count(out.String(), "topic"); n != 10 {
		t.Errorf("%d of 10 lines have the other fields:\n%s", n, out.String())
	}
}

func TestNamesAreResolvedAgainEachTime(t *testing.T) {
	answers := []string{"10.0.0.1", "10.0.0.2", "", "::1"}
	r := &resolver{servers: []string{"mq.example:9876"}, logger: slog.New(slog.DiscardHandler),
		lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			next := answers[0]
			answers = answers[1:]
			if next == "" {
				return nil, fmt.Errorf("no such host %s", host)
			}
			return []netip.Addr{netip.MustParseAddr(next)}, nil
		}}
	for _, want := range []string{"http://10.0.0.1:9876", "http://10.0.0.2:9876", "http://10.0.0.2:9876", "http://[::1]:9876"} {
		if diff := cmp.Diff([]string{want}, r.Resolve()); diff != "" {
			t.Errorf("Resolve (-want +got):\n%s", diff)
		}
	}
}

func TestOneNameThatDoesNotResolveHidesNoOther(t *testing.T) {
	r := &resolver{servers: []string{"gone:9876", "here:9876"}, logger: slog.New(slog.DiscardHandler),
		lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host == "gone" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.1")}, nil
		}}
	got, err := r.resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"http://10.0.0.1:9876", "http://10.0.0.2:9876"}, got); diff != "" {
		t.Errorf("resolve (-want +got):\n%s", diff)
	}
}

func TestClientsOnOneHostMakeDifferentIDs(t *testing.T) {
	one, other := &Client{ids: NewIDs()}, &Client{ids: NewIDs()}
	a, b := one.NewID(), other.NewID()
	if len(a) != idLength || len(b) != idLength {
		t.Errorf("IDs %q and %q, want %d digits", a, b, idLength)
	}
	// The library's begin with address and process id, which two containers can share.
	if a[:idPrefixLength] == b[:idPrefixLength] {
		t.Errorf("two clients' IDs begin alike: %q and %q", a, b)
	}
	if one.NewID() == a {
		t.Error("a client made one ID twice")
	}
}
