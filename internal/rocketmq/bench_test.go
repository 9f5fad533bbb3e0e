// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo answers every request on loopback with the same fields and body, and
// allocates nothing for it, so that what is measured is the client.
func echo(b *testing.B, fields string, body []byte) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		echoOn(conn, fields, body)
	})
	b.Cleanup(served.Wait)
	b.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func echoOn(conn net.Conn, fields string, body []byte) {
	r := bufio.NewReaderSize(conn, defaultReadBuffer)
	var reply []byte
	for {
		prefix, err := r.Peek(4)
		if err != nil {
			return
		}
		size := 4 + int(binary.BigEndian.Uint32(prefix))
		frame, err := r.Peek(size)
		if err != nil {
			return
		}
		_, opaque, _ := bytes.Cut(frame, []byte(`"opaque":`))
		opaque = opaque[:bytes.IndexByte(opaque, ',')]
		reply = append(reply[:0], 0, 0, 0, 0, 0, 0, 0, 0)
		reply = append(reply, `{"code":0,"extFields":{`...)
		reply = append(reply, fields...)
		reply = append(reply, `},"flag":1,"language":"JAVA","opaque":`...)
		reply = append(reply, opaque...)
		reply = append(reply, `,"serializeTypeCurrentRPC":"JSON","version":513}`...)
		binary.BigEndian.PutUint32(reply[4:], uint32(len(reply)-prefixSize))
		reply = append(reply, body...)
		binary.BigEndian.PutUint32(reply, uint32(len(reply)-4))
		_, _ = r.Discard(size)
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

// pulled is what a pull of 32 messages of 256 bytes brings.
func pulled() []byte {
	var b []byte
	for i := range int64(32) {
		m := Message{Topic: testQueue.Topic, Queue: testQueue, Offset: i, PhysicalOffset: i * 400, Body: bytes.Repeat([]byte("x"), 256)}
		m.SetProperties("MIN_OFFSET\x010\x02MAX_OFFSET\x0132\x02KEYS\x01order-" + strconv.FormatInt(i, 10) + "\x02UNIQ_KEY\x017F00000100002A9F0000000000000001\x02CLUSTER\x01DefaultCluster\x02TAGS\x01paid\x02")
		b = AppendMessage(b, &m)
	}
	return b
}

func BenchmarkCall(b *testing.B) {
	addr := echo(b, `"offset":"1234567"`, nil)
	c := NewClient(Config{})
	b.Cleanup(c.Close)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.CommitOffset(context.Background(), addr, "group", testQueue, 1234567); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallParallel(b *testing.B) {
	addr := echo(b, `"offset":"1234567"`, nil)
	c := NewClient(Config{})
	b.Cleanup(c.Close)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.CommitOffset(context.Background(), addr, "group", testQueue, 1234567); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// One op is a pull of 32 messages: divide by 32 for the cost of a message.
func BenchmarkPull(b *testing.B) {
	addr := echo(b, `"suggestWhichBrokerId":"0","groupSysFlag":"0","nextBeginOffset":"32","maxOffset":"32","minOffset":"0","topicSysFlag":"0"`, pulled())
	c := NewClient(Config{})
	b.Cleanup(c.Close)
	b.ReportAllocs()
	for b.Loop() {
		r, err := c.Pull(context.Background(), addr, PullRequest{Group: "group", Queue: testQueue, MaxMessages: 32, Wait: time.Second})
		if err != nil || len(r.Messages) != 32 {
			b.Fatal(len(r.Messages), err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := pulled()
	d := NewDecoder(DefaultMaxBody)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if got, _ := d.Decode(body, testQueue, 0); len(got) != 32 {
			b.Fatal(len(got))
		}
	}
}

func BenchmarkProperty(b *testing.B) {
	got, _ := NewDecoder(DefaultMaxBody).Decode(pulled(), testQueue, 0)
	b.ReportAllocs()
	for b.Loop() {
		if got[0].Property(PropertyTags) != "paid" {
			b.Fatal()
		}
	}
}

func BenchmarkSign(b *testing.B) {
	fields := Fields{{"consumerGroup", "group"}, {"topic", "orders"}, {"queueId", "3"}, {"commitOffset", "1234567"}, {"bname", "broker-a"}}
	cred := Credentials{AccessKey: "orderflow", SecretKey: "secret"}
	var s signer
	b.ReportAllocs()
	for b.Loop() {
		s.sign(cred, fields, nil)
	}
}

// The repair of a reply to 208 of a hundred queues.
func BenchmarkRepairJSON(b *testing.B) {
	var s strings.Builder
	for i := range 100 {
		s.WriteString(`{"brokerName":"broker-a","queueId":` + strconv.Itoa(i) + `,"topic":"orders"}:{"brokerOffset":12345,"consumerOffset":12340},`)
	}
	in := []byte(`{"offsetTable":{` + strings.TrimSuffix(s.String(), ",") + `}}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := RepairJSON(in); err != nil {
			b.Fatal(err)
		}
	}
}

// A reply about five thousand groups of eight queues each, as it is read for the first time, and when one of them has moved.
func BenchmarkOffsets(b *testing.B) {
	all := Offsets{}
	for i := range 5000 {
		row := map[int]int64{}
		for queue := range 8 {
			row[queue] = int64(1_000_000 + i + queue)
		}
		all[GroupTopic{fmt.Sprintf("push_consumer_group_%04d", i), fmt.Sprintf("TopicOrderPaySuccess_%03d", i/5)}] = row
	}
	in := written(all)
	all[GroupTopic{"push_consumer_group_0007", "TopicOrderPaySuccess_001"}][3]--
	for says, before := range map[string]Offsets{"anew": nil, "one moved": all} {
		b.Run(says, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if _, err := parseOffsets(in, before); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
