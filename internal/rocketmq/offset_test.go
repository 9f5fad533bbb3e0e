// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestOffsetsAreReadAsABrokerWritesThem(t *testing.T) {
	orders := GroupTopic{Group: "push", Topic: "Orders"}
	for says, c := range map[string]struct {
		in   string
		want Offsets
	}{
		"numbers for keys":            {`{"dataVersion":{"counter":7,"timestamp":1},"offsetTable":{"Orders@push":{0:17,1:4}}}`, Offsets{orders: {0: 17, 1: 4}}},
		"strings for keys":            {` {"offsetTable" : {"Orders@push" : {"0" : 17}}} `, Offsets{orders: {0: 17}}},
		"several groups and a retry":  {`{"offsetTable":{"Orders@push":{0:1},"%RETRY%push@push":{0:2}}}`, Offsets{orders: {0: 1}, {"push", "%RETRY%push"}: {0: 2}}},
		"a group without queues":      {`{"offsetTable":{"Orders@push":{}}}`, Offsets{orders: {}}},
		"no group":                    {`{"offsetTable":{}}`, Offsets{}},
		"null for all":                {`{"offsetTable":null}`, Offsets{}},
		"null for a group":            {`{"offsetTable":{"Orders@push":null}}`, Offsets{orders: {}}},
		"a name with escapes":         {`{"offsetTable":{"Orders@\u0070ush":{0:17}}}`, Offsets{orders: {0: 17}}},
		"queues in another order":     {`{"offsetTable":{"Orders@push":{1:5,0:17}}}`, Offsets{orders: {0: 17, 1: 5}}},
		"a queue that stands twice":   {`{"offsetTable":{"Orders@push":{0:17,0:17}}}`, Offsets{orders: {0: 17}}},
		"nothing of offsets":          {`{"other":{{"a":1}:[2]}}`, Offsets{}},
		"the largest number there is": {`{"offsetTable":{"Orders@push":{2147483647:9223372036854775807}}}`, Offsets{orders: {2147483647: 9223372036854775807}}},
	} {
		t.Run(says, func(t *testing.T) {
			got, err := parseOffsets([]byte(c.in), Offsets{orders: {0: 17, 1: 5}})
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v, and want (-) got (+):\n%s", err, diff)
			}
		})
	}
}

func TestOffsetsThatCannotBeReadAreAnError(t *testing.T) {
	for says, c := range map[string]struct{ in, want string }{
		"empty":                       {``, errTruncated.Error()},
		"ends in the middle":          {`{"offsetTable":{"Orders@push":{0:1`, errTruncated.Error()},
		"no object":                   {`[]`, `'[' stands where '{' should, at byte 0`},
		"no table":                    {`{"offsetTable":7}`, `'7' stands where '{' should, at byte 15`},
		"a comma is missing":          {`{"offsetTable":{"Orders@push":{0:1} "Orders@more":{}}}`, `'"' stands where '}' should`},
		"a colon is missing":          {`{"offsetTable":{"Orders@push" {0:1}}}`, `'{' stands where ':' should`},
		"something follows":           {`{"offsetTable":{}}}`, errTrailing.Error()},
		"a key without a group":       {`{"offsetTable":{"Orders":{0:1}}}`, "has no @"},
		"an offset that is no number": {`{"offsetTable":{"Orders@push":{0:many}}}`, `parsing "many"`},
		"a queue that is no number":   {`{"offsetTable":{"Orders@push":{zero:1}}}`, `parsing "zero"`},
		"a name with a wrong escape":  {`{"offsetTable":{"Orders@pu\sh":{0:1}}}`, "invalid character 's' in string escape code"},
		"a zero byte follows":         {"{\"offsetTable\":{}}\x00", errTrailing.Error()},
	} {
		t.Run(says, func(t *testing.T) {
			if got, err := parseOffsets([]byte(c.in), nil); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, %v, want an error that says %q", got, err, c.want)
			}
		})
	}
}

// written is how a broker writes offsets.
func written(o Offsets) []byte {
	var rows []string
	for of, queues := range o {
		var row []string
		for _, queue := range slices.Sorted(maps.Keys(queues)) {
			row = append(row, fmt.Sprintf("%d:%d", queue, queues[queue]))
		}
		rows = append(rows, fmt.Sprintf("%q:{%s}", of.Topic+"@"+of.Group, strings.Join(row, ",")))
	}
	return []byte(`{"dataVersion":{"stateVersion":0},"offsetTable":{` + strings.Join(rows, ",") + `}}`)
}

func offsetTables() *rapid.Generator[Offsets] {
	names := rapid.SampledFrom([]string{"a", "b", "%RETRY%a", "%DLQ%b"})
	return rapid.Custom(func(t *rapid.T) Offsets {
		all := Offsets{}
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			all[GroupTopic{names.Draw(t, "group"), names.Draw(t, "topic")}] = rapid.MapOfN(rapid.IntRange(0, 3), rapid.Int64Range(0, 2), 0, 3).Draw(t, "row")
		}
		return all
	})
}

func TestOffsetsThatDidNotMoveAreThoseOfBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, now := offsetTables().Draw(t, "before"), offsetTables().Draw(t, "now")
		got, err := parseOffsets(written(now), before)
		if diff := cmp.Diff(now, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v, and want (-) got (+):\n%s", err, diff)
		}
		for of, row := range got {
			same := reflect.ValueOf(row).Pointer() == reflect.ValueOf(before[of]).Pointer()
			if want := before[of] != nil && cmp.Equal(row, before[of]); before[of] != nil && same != want {
				t.Fatalf("%v is %v, was %v, and is the same map: %v", of, row, before[of], same)
			}
		}
	})
}

// Whatever comes is read to its end or refused, and read once more says the same.
func FuzzOffsets(f *testing.F) {
	for _, seed := range []string{`{"offsetTable":{"Orders@push":{0:17,1:4}}}`, `{"a":{{"b":1}:2},"offsetTable":{}}`, `{{}:1}`, `{"offsetTable":{"a@b":{0:1,}}}`, `{"offsetTable":{"a@b":{"0:1}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := parseOffsets(in, nil)
		again, stillWrong := parseOffsets(in, once)
		if (err == nil) != (stillWrong == nil) || err == nil && !cmp.Equal(once, again) {
			t.Fatalf("%q is %v, %v, and then %v, %v", in, once, err, again, stillWrong)
		}
	})
}
