// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"pgregory.net/rapid"
)

var testQueue = Queue{Topic: "orders", Broker: "broker-a", ID: 3}

// sameMessage compares messages with their properties.
var sameMessage = cmp.Options{cmp.AllowUnexported(Message{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmpopts.EquateEmpty(), cmpopts.EquateErrors()}

func messages() *rapid.Generator[Message] {
	host := rapid.Custom(func(t *rapid.T) netip.AddrPort {
		n := rapid.SampledFrom([]int{4, 16}).Draw(t, "family")
		ip, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "ip"))
		return netip.AddrPortFrom(ip, rapid.Uint16().Draw(t, "port"))
	})
	return rapid.Custom(func(t *rapid.T) Message {
		m := Message{
			Topic:          rapid.OneOf(rapid.Just(testQueue.Topic), rapid.StringMatching(`[a-z]{1,300}`)).Draw(t, "topic"),
			Queue:          Queue{testQueue.Topic, testQueue.Broker, rapid.IntRange(0, 1000).Draw(t, "queue")},
			Offset:         rapid.Int64Range(0, 1<<40).Draw(t, "offset"),
			PhysicalOffset: rapid.Int64().Draw(t, "physical"),
			Reconsumed:     rapid.IntRange(0, 20).Draw(t, "reconsumed"),
			Born:           rapid.Int64().Draw(t, "born"),
			Stored:         rapid.Int64().Draw(t, "stored"),
			BornHost:       host.Draw(t, "bornHost"),
			StoreHost:      host.Draw(t, "storeHost"),
			Flag:           rapid.Int32().Draw(t, "flag"),
			Body:           rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "body"),
		}
		if m.BornHost.Addr().Is6() {
			m.SysFlag |= flagBornV6
		}
		if m.StoreHost.Addr().Is6() {
			m.SysFlag |= flagStoreV6
		}
		var properties Fields
		for range rapid.IntRange(0, 4).Draw(t, "properties") {
			properties = append(properties, Field{rapid.StringMatching(`[A-Z_]{1,8}`).Draw(t, "name"), rapid.StringMatching(`[^\x01\x02]{0,12}`).Draw(t, "value")})
		}
		encoded, err := EncodeProperties(properties)
		if err != nil {
			t.Fatal(err)
		}
		m.SetProperties(encoded)
		return m
	})
}

func TestMessagesComeBackAsTheyWereStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(messages(), 0, 5).Draw(t, "messages")
		var stored []byte
		for i := range want {
			stored = AppendMessage(stored, &want[i])
		}
		got, rest := NewDecoder(DefaultMaxBody).Decode(stored, testQueue, 0)
		if len(rest) > 0 {
			t.Fatalf("%d bytes are left", len(rest))
		}
		if diff := cmp.Diff(want, got, sameMessage); diff != "" {
			t.Fatal(diff)
		}
	})
}

// storedAt is a message as stored, with an offset to know it by.
func storedAt(offset int64, sysFlag int32, body []byte) []byte {
	return AppendMessage(nil, &Message{Topic: testQueue.Topic, Queue: testQueue, Offset: offset, PhysicalOffset: 1000 + offset, SysFlag: sysFlag, Body: body})
}

func deflate(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBodiesAreDecompressed(t *testing.T) {
	want := []byte(strings.Repeat("order paid ", 1000))
	through := func(w func(io.Writer) io.WriteCloser) []byte {
		var out bytes.Buffer
		in := w(&out)
		if _, err := in.Write(want); err != nil || in.Close() != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	d := NewDecoder(DefaultMaxBody)
	for says, c := range map[string]struct {
		kind int32
		body []byte
	}{
		"zlib, unsaid": {compressionNone, deflate(t, want)},
		"zlib":         {compressionZlib, deflate(t, want)},
		"lz4":          {compressionLZ4, through(func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) })},
		"zstd": {compressionZstd, through(func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		})},
	} {
		t.Run(says, func(t *testing.T) {
			for range 2 { // the second time with a used decompressor
				got, _ := d.Decode(storedAt(1, flagCompressed|c.kind<<compressionShift, c.body), testQueue, 1)
				if got[0].Err != nil || !bytes.Equal(got[0].Body, want) {
					t.Fatalf("got %d bytes, %v", len(got[0].Body), got[0].Err)
				}
			}
		})
	}
}

func TestAnUndecodableMessageLeavesItsNeighbours(t *testing.T) {
	broken := func(change func([]byte)) []byte {
		m := storedAt(2, 0, []byte("body"))
		change(m)
		return m
	}
	for says, c := range map[string]struct {
		middle []byte
		want   error
	}{
		"unknown format":            {broken(func(m []byte) { m[4] = 0 }), errMagic},
		"a body beyond its end":     {broken(func(m []byte) { m[84] = 0x7f }), errShort},
		"a negative body":           {broken(func(m []byte) { m[84] = 0xff }), errShort},
		"IPv6 that is not":          {broken(func(m []byte) { m[sysFlagAt+3] = flagBornV6 | flagStoreV6 }), errShort},
		"a body that is no zlib":    {storedAt(2, flagCompressed, []byte("no zlib")), zlib.ErrHeader},
		"a body cut off":            {storedAt(2, flagCompressed, deflate(t, []byte(strings.Repeat("x", 100)))[:10]), io.ErrUnexpectedEOF},
		"a bomb":                    {storedAt(2, flagCompressed, deflate(t, make([]byte, 64<<10))), errTooLarge},
		"a compression of tomorrow": {storedAt(2, flagCompressed|7<<compressionShift, []byte("x")), nil},
	} {
		t.Run(says, func(t *testing.T) {
			b := slices.Concat(storedAt(1, 0, []byte("first")), c.middle, storedAt(3, 0, []byte("last")))
			got, rest := NewDecoder(1<<10).Decode(b, testQueue, 1)
			if len(got) != 3 || len(rest) != 0 {
				t.Fatalf("%d messages, %d bytes left", len(got), len(rest))
			}
			if got[0].Err != nil || got[2].Err != nil || string(got[0].Body) != "first" || string(got[2].Body) != "last" {
				t.Errorf("the neighbours are %+v and %+v", got[0], got[2])
			}
			m := got[1]
			if m.Err == nil || c.want != nil && !errors.Is(m.Err, c.want) && !strings.Contains(m.Err.Error(), c.want.Error()) {
				t.Errorf("the error is %v, want %v", m.Err, c.want)
			}
			if m.Offset != 2 || m.PhysicalOffset != 1002 || m.Queue != testQueue || !bytes.Equal(m.Raw, c.middle) || m.Body != nil {
				t.Errorf("what is known of it: %+v", m)
			}
		})
	}
}

func TestABombIsNotInflatedFirst(t *testing.T) {
	const inflated = 64 << 20
	bomb := storedAt(1, flagCompressed, deflate(t, make([]byte, inflated)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, _ := NewDecoder(1<<10).Decode(bomb, testQueue, 1)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > inflated/8 || !errors.Is(got[0].Err, errTooLarge) {
		t.Errorf("%d bytes were allocated for %v", allocated, got[0].Err)
	}
}

func TestOnePullTakesBoundedMemory(t *testing.T) {
	const limit = 64 << 10
	var b []byte
	for offset := range int64(10) {
		b = append(b, storedAt(offset, flagCompressed, deflate(t, make([]byte, limit)))...)
	}
	d := NewDecoder(limit)
	var offsets []int64
	for from := int64(0); len(b) > 0; {
		got, rest := d.Decode(b, testQueue, from)
		if len(got) == 0 || len(got) > pullBodies {
			t.Fatalf("%d bodies of the largest size at once", len(got))
		}
		for _, m := range got {
			if m.Err != nil || len(m.Body) != limit {
				t.Fatalf("offset %d: %v", m.Offset, m.Err)
			}
			offsets = append(offsets, m.Offset)
		}
		if len(rest) > 0 {
			var messages []Message
			messages, from = cut(got, rest, PullRequest{Queue: testQueue, Offset: from}, 10)
			if from != got[len(got)-1].Offset+1 || len(messages) != len(got) {
				t.Fatalf("the next pull is at %d", from)
			}
		}
		b = rest
	}
	if want := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(offsets, want) {
		t.Errorf("pulled %v", offsets)
	}
}

func TestLostMessageBoundariesDoNotStopAQueue(t *testing.T) {
	lost := storedAt(7, 0, []byte("x"))
	lost[0] = 0x7f // its size is beyond everything
	d := NewDecoder(DefaultMaxBody)
	p := PullRequest{Queue: testQueue, Offset: 6}

	got, rest := d.Decode(append(storedAt(6, 0, nil), lost...), testQueue, 6)
	got, next := cut(got, rest, p, 9)
	if len(got) != 1 || got[0].Err != nil || next != 7 {
		t.Errorf("with a good one before: %+v, next %d", got, next)
	}
	p.Offset = 7
	got, rest = d.Decode(lost, testQueue, 7)
	got, next = cut(got, rest, p, 9)
	if len(got) != 1 || !errors.Is(got[0].Err, errBoundary) || got[0].Offset != 7 || next != 8 || !bytes.Equal(got[0].Raw, lost) {
		t.Errorf("alone: %+v, next %d", got, next)
	}
}

func TestAnInnerBatchIsUnwrapped(t *testing.T) {
	body, err := encodeBatch([]OutMessage{{Body: []byte("a"), Properties: Fields{{"KEYS", "1"}}, Flag: 5}, {Body: []byte("b")}})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(DefaultMaxBody)
	b := append(storedAt(4, flagInnerBatch|flagNeedUnwrap, body), storedAt(6, 0, []byte("c"))...)
	got, rest := d.Decode(b, testQueue, 4)
	var seen []string
	for _, m := range got {
		seen = append(seen, fmt.Sprintf("%d %s %q %d %v", m.Offset, m.Body, m.Property("KEYS"), m.Flag, m.Err))
	}
	if diff := cmp.Diff([]string{`4 a "1" 5 <nil>`, `5 b "" 0 <nil>`, `6 c "" 0 <nil>`}, seen); diff != "" || len(rest) > 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, _ = d.Decode(storedAt(4, flagInnerBatch|flagNeedUnwrap, body[:len(body)-1]), testQueue, 4)
	if len(got) != 2 || got[0].Err != nil || !errors.Is(got[1].Err, errShort) || got[1].Offset != 5 {
		t.Errorf("cut off: %+v", got)
	}
	got, _ = d.Decode(storedAt(4, flagInnerBatch|flagNeedUnwrap, nil), testQueue, 4)
	if len(got) != 1 || !errors.Is(got[0].Err, errShort) {
		t.Errorf("empty: %+v", got)
	}
}

func TestARetriedMessageBearsItsTopic(t *testing.T) {
	m := Message{Topic: "%RETRY%g", Queue: Queue{Topic: "%RETRY%g"}}
	m.SetProperties("RETRY_TOPIC\x01orders\x02")
	got, _ := NewDecoder(DefaultMaxBody).Decode(AppendMessage(nil, &m), m.Queue, 0)
	if got[0].Topic != "orders" || got[0].Queue.Topic != "%RETRY%g" {
		t.Errorf("got %+v", got[0])
	}
}

func TestPropertiesThatCannotBeSent(t *testing.T) {
	for says, c := range map[string]struct {
		properties Fields
		want       string
	}{
		"a separator in a value": {Fields{{"KEYS", "a\x01b"}}, `the property "KEYS" contains`},
		"an end in a name":       {Fields{{"K\x02", "a"}}, `contains \x01 or \x02`},
		"no name":                {Fields{{"", "a"}}, "has no name"},
		"too much":               {Fields{{"K", strings.Repeat("x", 1<<15)}}, "more than the 32767"},
	} {
		t.Run(says, func(t *testing.T) {
			if _, err := EncodeProperties(c.properties); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Whatever a broker sends, decoding ends, moves on, and says so of each message.
func FuzzDecode(f *testing.F) {
	f.Add(storedAt(1, 0, []byte("a")))
	f.Add(slices.Concat(storedAt(1, 0, nil), storedAt(2, flagCompressed, deflate(f, []byte("zzz"))), []byte{0, 0, 0, 9, 1}))
	f.Add(storedAt(1, flagInnerBatch|flagNeedUnwrap, []byte{0, 0, 0, 22, 0}))
	f.Add([]byte{0, 0, 0, 8, 0xDA, 0xA3, 0x20, 0xA7})
	d := NewDecoder(1 << 16)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, rest := d.Decode(b, testQueue, 5)
		if !bytes.HasSuffix(b, rest) {
			t.Fatal("the rest is not the end")
		}
		for _, m := range got {
			if (m.Err == nil) != (m.Raw == nil) || m.Err != nil && m.Body != nil {
				t.Fatalf("half an error: %+v", m)
			}
			for name := range m.Properties() {
				_ = m.Property(name)
			}
		}
		if len(rest) > 0 {
			if messages, _ := cut(got, rest, PullRequest{Queue: testQueue, Offset: 5}, 10); len(messages) == 0 {
				t.Fatal("a queue would stand still")
			}
		}
	})
}

func TestOffsetsThatABrokerResets(t *testing.T) {
	want := map[Queue]int64{testQueue: 5, {Topic: "orders", Broker: "broker-a", ID: 4}: 6}
	body, err := AppendByQueue([]byte(`{"offsetTable":`), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Request{Command: &Command{Body: append(body, '}')}}).Offsets()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := (&Request{Command: &Command{Body: []byte("{{")}}).Offsets(); err == nil {
		t.Error("a body that is nothing is accepted")
	}
}

func TestAnIDIsReadAsItIsWritten(t *testing.T) {
	for _, host := range []string{"10.0.0.1:10911", "[fd00::1]:10911"} {
		m := Message{StoreHost: netip.MustParseAddrPort(host), PhysicalOffset: 1 << 40}
		if got, offset, err := ParseID(m.ID()); err != nil || got != m.StoreHost || offset != m.PhysicalOffset {
			t.Errorf("%s is read as %v, %d, %v", m.ID(), got, offset, err)
		}
	}
	for _, id := range []string{"", "U1", "0A", "0A000001", "0A00000100002A9F00000000000003", "0A00000100002A9F000000000000030Z"} {
		if host, offset, err := ParseID(id); err == nil {
			t.Errorf("%q is read as %v, %d", id, host, offset)
		}
	}
}
