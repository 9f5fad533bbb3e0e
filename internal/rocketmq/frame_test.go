// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// texts are valid UTF-8 with the characters that need care.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\/\x00-\x1f\x7f<>&ü\x{2028}😀a-c]{0,8}`))
}

func commands() *rapid.Generator[*Command] {
	return rapid.Custom(func(t *rapid.T) *Command {
		c := &Command{
			Code:     int(rapid.Int32().Draw(t, "code")),
			Opaque:   rapid.Int32().Draw(t, "opaque"),
			Flag:     rapid.IntRange(0, 3).Draw(t, "flag"),
			Version:  rapid.IntRange(0, 600).Draw(t, "version"),
			Language: texts().Draw(t, "language"),
			Remark:   texts().Draw(t, "remark"),
			Body:     rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "body"),
		}
		for _, name := range rapid.SliceOfNDistinct(texts(), 0, 20, rapid.ID[string]).Draw(t, "names") {
			c.Fields = append(c.Fields, Field{name, texts().Draw(t, "value")})
		}
		return c
	})
}

// same compares what a peer would see.
func same(a, b *Command) string {
	asMap := func(f Fields) map[string]string {
		m := map[string]string{}
		for _, field := range f {
			m[field.Name] = field.Value
		}
		return m
	}
	x, y := *a, *b
	fields := cmp.Diff(asMap(x.Fields), asMap(y.Fields))
	x.Fields, y.Fields = nil, nil
	if len(x.Body) == 0 && len(y.Body) == 0 {
		x.Body, y.Body = nil, nil
	}
	return fields + cmp.Diff(x, y)
}

func TestACommandComesBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(commands(), 1, 4).Draw(t, "commands")
		var stream []byte
		var err error
		for _, c := range all {
			if stream, err = AppendFrame(stream, c, DefaultMaxFrame); err != nil {
				t.Fatal(err)
			}
		}
		// A small buffer: headers in place and beyond it.
		r := bufio.NewReaderSize(bytes.NewReader(stream), rapid.IntRange(16, 400).Draw(t, "buffer"))
		for _, want := range all {
			got, err := ReadFrame(r, DefaultMaxFrame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := same(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		if _, err := ReadFrame(r, DefaultMaxFrame); err != io.EOF { //nolint:errorlint // exactly that
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestAFrameThatCannotBeSentLeavesTheBufferAsItWas(t *testing.T) {
	for says, c := range map[string]struct {
		cmd  Command
		want string
	}{
		"a field that is not UTF-8":  {Command{Fields: Fields{{"k", "\xff"}}}, `the field "k" is not valid UTF-8`},
		"a remark that is not UTF-8": {Command{Remark: "\xff"}, "not valid UTF-8"},
		"a body beyond the limit":    {Command{Body: make([]byte, 200)}, "larger than the 128 allowed"},
	} {
		t.Run(says, func(t *testing.T) {
			out, err := AppendFrame([]byte("before"), &c.cmd, 128)
			if string(out) != "before" || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
}

// headerJSON is the header as encoding/json reads it.
type headerJSON struct {
	Code     int               `json:"code"`
	Language string            `json:"language"`
	Version  int               `json:"version"`
	Opaque   int32             `json:"opaque"`
	Flag     int               `json:"flag"`
	Remark   string            `json:"remark"`
	Fields   map[string]string `json:"extFields"`
}

// What the hand-written reader accepts, encoding/json reads the same way.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{
		`{"code":0,"extFields":{"offset":"12"},"flag":1,"language":"JAVA","opaque":7,"serializeTypeCurrentRPC":"JSON","version":513}`,
		`{"code":1,"remark":"a\n\"b\"","extFields":{"k":null}}`,
		`{"code":01}`, `{"code":-0,"flag":99999999999}`, `{"code":1,"code":2}`, `{"extFields":{"a":"1","a":"2"}}`,
		`{}`, `{"Code":5}`, `{"extFields":{}} `, `{"opaque":2147483648}`, `[1]`, `{"code":1,}`, "{\"remark\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		var fast Command
		accepted := (&headerScanner{text: string(header)}).command(&fast)
		var want headerJSON
		err := json.Unmarshal(header, &want)
		if accepted && err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", header, err)
		}
		var got Command
		if gotErr := got.decodeHeader(header); (gotErr == nil) != (err == nil) {
			t.Fatalf("%q: got %v, encoding/json %v", header, gotErr, err)
		}
		if err != nil {
			return
		}
		for _, c := range []*Command{&fast, &got} {
			if c == &fast && !accepted {
				continue
			}
			fields := map[string]string{}
			for _, field := range c.Fields {
				fields[field.Name] = field.Value
			}
			if c.Code != want.Code || c.Language != want.Language || c.Version != want.Version || c.Opaque != want.Opaque ||
				c.Flag != want.Flag || c.Remark != want.Remark || !maps.Equal(fields, want.Fields) {
				t.Fatalf("%q: got %+v, encoding/json %+v", header, c, want)
			}
		}
	})
}

// Whatever arrives, reading ends with an error or with frames that say the same
// when written again, and takes no memory that was only announced.
func FuzzFrame(f *testing.F) {
	whole, _ := AppendFrame(nil, &Command{Code: 11, Fields: Fields{{"topic", "t"}}, Body: []byte("b")}, 1<<20)
	f.Add(whole)
	f.Add(append(whole, whole...))
	f.Add(whole[:len(whole)-1])
	f.Add([]byte("\x00\x10\x00\x00\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := bytes.NewReader(stream)
		r := bufio.NewReaderSize(in, 32)
		for left := len(stream) + 1; ; {
			cmd, err := ReadFrame(r, 1<<20)
			now := in.Len() + r.Buffered()
			if err != nil {
				if err == io.EOF && now > 0 { //nolint:errorlint // exactly that: between frames
					t.Fatalf("an end with %d bytes left", now)
				}
				return
			}
			if now >= left {
				t.Fatal("a frame without bytes")
			}
			left = now
			if !utf8.ValidString(cmd.Language) || !utf8.ValidString(cmd.Remark) {
				t.Fatalf("not UTF-8: %+v", cmd)
			}
			again, err := AppendFrame(nil, cmd, 1<<24)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ReadFrame(bufio.NewReader(bytes.NewReader(again)), 1<<24)
			if err != nil {
				t.Fatal(err)
			}
			if diff := same(cmd, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestAFalseLengthCostsNoMemory(t *testing.T) {
	const announced = 60 << 20
	frame := []byte{announced >> 24, announced >> 16 & 0xff, 0, 0, 0, 0, 0, 2, '{', '}', 'x'}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadFrame(bufio.NewReader(bytes.NewReader(frame)), DefaultMaxFrame); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > announced/2 {
		t.Errorf("%d bytes were allocated for the 11 that came", allocated)
	}
}

func TestKeysThatAreNotStringsAreRepaired(t *testing.T) {
	for says, c := range map[string]struct{ in, want string }{
		"an object for a key":        {`{"t":{{"queueId":0,"topic":"a\"b"}:{"x":1}},"n":2}`, `{"t":{"{\"queueId\":0,\"topic\":\"a\\\"b\"}":{"x":1}},"n":2}`},
		"a number for a key":         {`{0:"a:1",-1:"b"}`, `{"0":"a:1","-1":"b"}`},
		"several of both":            {`{"o":{"T@G":{0:5,9:6}},"e":{}}`, `{"o":{"T@G":{"0":5,"9":6}},"e":{}}`},
		"what is right stays":        {` {"a" : [1, 2.5e3, true, null, "\u00e4\\"], "b":{}} `, `{"a":[1,2.5e3,true,null,"\u00e4\\"],"b":{}}`},
		"a scalar":                   {`12`, `12`},
		"a stray byte is not healed": {`{"a":]}`, `{"a":]}`},
		"nor is what follows":        {`{} x`, `{} x`},
	} {
		t.Run(says, func(t *testing.T) {
			got, err := RepairJSON([]byte(c.in))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestJSONThatCannotBeRepairedIsAnError(t *testing.T) {
	for says, c := range map[string]struct {
		in   string
		want error
	}{
		"nested too deeply":         {strings.Repeat("[", 100_000), errTooDeep},
		"keys within keys":          {strings.Repeat("{", 40) + "1" + strings.Repeat(":1}", 40), errTooDeep},
		"ends in an object":         {`{"a":`, errTruncated},
		"ends in a string":          {`{"a\"`, errTruncated},
		"ends in a string's escape": {`{"a\`, errTruncated},
		"empty":                     {``, errTruncated},
	} {
		t.Run(says, func(t *testing.T) {
			if got, err := RepairJSON([]byte(c.in)); !errors.Is(err, c.want) {
				t.Errorf("got %.40s, %v", got, err)
			}
		})
	}
}

// Repair ends, keeps to a bounded size, and does not change what JSON means.
func FuzzRepairJSON(f *testing.F) {
	for _, seed := range []string{`{{"queueId":0}:{0:"x"}}`, `{"a":[1,{"b":"\""}]}`, `{:}`, `{,}`, `[}`, `{"a" "b"}`, `{{{1:1}:1}:1}`, "{\x00:1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := RepairJSON(in)
		if err != nil {
			if json.Valid(in) && !errors.Is(err, errTooDeep) {
				t.Fatalf("%q is JSON: %v", in, err)
			}
			return
		}
		if len(out) > 8*len(in)+16 {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		if !json.Valid(in) {
			return
		}
		var before, after any
		if json.Unmarshal(in, &before) != nil {
			return // numbers beyond float64
		}
		if err := json.Unmarshal(out, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
	})
}
