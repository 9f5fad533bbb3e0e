// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func locks(t *testing.T, e *env) {
	group, topic := e.group(t), name() // nobody checks that the topic exists
	first, second := e.queue(topic, 0), e.queue(topic, 1)
	lock := func(owner string, queues ...rocketmq.Queue) []rocketmq.Queue {
		t.Helper()
		held, err := e.Lock(e, e.addr, group, owner, queues)
		must(t, err)
		slices.SortFunc(held, func(a, b rocketmq.Queue) int { return a.ID - b.ID })
		return held
	}
	for _, step := range []struct {
		says string
		got  func() []rocketmq.Queue
		want []rocketmq.Queue
	}{
		{"a free queue is given", func() []rocketmq.Queue { return lock("x", first) }, []rocketmq.Queue{first}},
		{"the owner renews", func() []rocketmq.Queue { return lock("x", first) }, []rocketmq.Queue{first}},
		{"another owner gets only what is free", func() []rocketmq.Queue { return lock("y", first, second) }, []rocketmq.Queue{second}},
		{"a stranger's unlock does nothing", func() []rocketmq.Queue {
			must(t, e.Unlock(e, e.addr, group, "z", []rocketmq.Queue{first}))
			return lock("y", first)
		}, nil},
		{"an unlock in the owner's name frees at once, whoever sends it", func() []rocketmq.Queue {
			must(t, e.client(t, rocketmq.Config{}).Unlock(e, e.addr, group, "x", []rocketmq.Queue{first}))
			return lock("y", first)
		}, []rocketmq.Queue{first}},
	} {
		if got := step.got(); !slices.Equal(got, step.want) {
			t.Errorf("%s: got %v, want %v", step.says, got, step.want)
		}
	}
}

func membership(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	members := func() []string {
		ids, err := e.Members(e, e.addr, group)
		must(t, err)
		return ids
	}
	if ids := members(); len(ids) != 0 {
		t.Errorf("a new group has the members %v", ids)
	}
	_, err := e.Connections(e, e.addr, group)
	wantErr(t, "connections of a new group", err, rocketmq.ErrNotOnline)

	a, b := e.client(t, rocketmq.Config{}), e.client(t, rocketmq.Config{})
	join(t, e, a, group, "b@1", topic)
	join(t, e, b, group, "a@1", topic)
	if diff := cmp.Diff([]string{"a@1", "b@1"}, members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	connections, err := e.Connections(e, e.addr, group)
	must(t, err)
	if n := len(connections.Members); n != 2 || connections.Members[0].ClientID != "a@1" {
		t.Errorf("connections: %+v", connections.Members)
	}
	if s := connections.Subscriptions[topic]; s.Expression != "*" || s.Type != rocketmq.TypeTag || s.Version != 1 {
		t.Errorf("subscription: %+v", s)
	}
	must(t, b.Unregister(e, e.addr, "a@1", group))
	if diff := cmp.Diff([]string{"b@1"}, members()); diff != "" {
		t.Errorf("members after one has left (-want +got):\n%s", diff)
	}
	a.Close() // the registration belongs to the connection
	eventually(t, "group without members", func() bool { return len(members()) == 0 })
}

func notification(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	var heard atomic.Int32
	a := e.client(t, rocketmq.Config{OnRequest: func(r *rocketmq.Request) {
		if r.Op() == rocketmq.OpNotifyMembers && r.IsOneWay() && r.Fields.Get("consumerGroup") == group {
			heard.Add(1)
		}
	}})
	join(t, e, a, group, "a@1", topic)
	before := heard.Load()
	b := e.client(t, rocketmq.Config{})
	join(t, e, b, group, "b@1", topic)
	eventually(t, "notification of a join", func() bool { return heard.Load() > before })
	before = heard.Load()
	must(t, b.Unregister(e, e.addr, "b@1", group))
	eventually(t, "notification of a leave", func() bool { return heard.Load() > before })
}

func runningInfo(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	_, err := e.RunningInfo(e, e.addr, group, "m@1", false)
	wantErr(t, "ask a member that is away", err, rocketmq.ErrNotOnline)

	want := rocketmq.RunningInfo{
		Properties:    map[string]string{"PROP_CLIENT_VERSION": "V5_5_0"},
		Subscriptions: []rocketmq.Subscription{{Topic: topic, Type: rocketmq.TypeTag, Expression: "A || B", Version: 1}},
		Queues:        map[rocketmq.Queue]rocketmq.QueueInfo{e.queue(topic, 0): {Committed: 5, Cached: 2, Locked: true}, e.queue(topic, 1): {Committed: 6}},
		Stack:         `goroutine 1 ["running"]`,
	}
	member := e.client(t, rocketmq.Config{OnRequest: func(r *rocketmq.Request) {
		if r.Op() != rocketmq.OpRunningInfo {
			return
		}
		body, err := want.Encode()
		if err == nil {
			err = r.Reply(rocketmq.CodeOK, "", body)
		}
		if err != nil {
			t.Error(err)
		}
	}})
	join(t, e, member, group, "m@1", topic)
	got, err := e.RunningInfo(e, e.addr, group, "m@1", true)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the account of the member (-sent +got):\n%s", diff)
	}
}

func sendAndPull(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 1)
	properties := rocketmq.Fields{{Name: "KEYS", Value: "o-1 ü \"q\""}, {Name: "TAGS", Value: "paid"}, {Name: "UNIQ_KEY", Value: "U1"}}
	result, err := e.Send(e, e.addr, rocketmq.SendRequest{Group: "p", Queue: q, Messages: []rocketmq.OutMessage{{Properties: properties, Body: []byte("{}\x00\xff"), Flag: 9}}})
	must(t, err)
	if result.Queue != q || result.Offset != 0 || result.ID == "" {
		t.Errorf("stored at %+v", result)
	}
	e.pull(t, rocketmq.PullRequest{Group: group, Queue: q}) // until it can be seen
	r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 32, Wait: time.Second})
	must(t, err)
	if r.Status != rocketmq.Found || r.Next != 1 || r.Min != 0 || r.Max != 1 || len(r.Messages) != 1 {
		t.Fatalf("pulled %+v", r)
	}
	m := r.Messages[0]
	if m.Err != nil || m.Topic != q.Topic || m.Queue != q || m.Offset != 0 || m.Reconsumed != 0 || m.Flag != 9 || string(m.Body) != "{}\x00\xff" {
		t.Errorf("got %+v", m)
	}
	if m.ID() != result.ID {
		t.Errorf("sent as %s, got as %s", result.ID, m.ID())
	}
	for _, p := range properties {
		if got := m.Property(p.Name); got != p.Value {
			t.Errorf("property %s: sent %q, got %q", p.Name, p.Value, got)
		}
	}
	if age := time.Since(m.StoredAt()); age < -time.Hour || age > time.Hour || m.Born > m.Stored+time.Hour.Milliseconds() {
		t.Errorf("stored %v ago, born %v", age, m.BornAt())
	}
}

func sendBatch(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	e.send(t, q, "zero")
	if result := e.send(t, q, "one", "two", "three"); result.Offset != 1 {
		t.Errorf("the batch was stored at %d", result.Offset)
	}
	var got []string
	for len(got) < 3 { // they become visible one by one
		for _, m := range e.pull(t, rocketmq.PullRequest{Group: group, Queue: q, Offset: int64(1 + len(got))}) {
			got = append(got, string(m.Body))
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
}

func sendCompressed(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	m := rocketmq.OutMessage{Body: []byte(strings.Repeat("order paid ", 1000))}
	want := string(m.Body)
	if !m.Compress() || len(m.Body) >= len(want) || m.Compress() {
		t.Fatalf("compressed to %d bytes of %d", len(m.Body), len(want))
	}
	s := rocketmq.SendRequest{Group: "p", Queue: q, Messages: []rocketmq.OutMessage{m}}
	_, err := e.Send(e, e.addr, s)
	must(t, err)
	got := e.pull(t, rocketmq.PullRequest{Group: group, Queue: q})[0]
	if got.Err != nil || !got.Compressed() || string(got.Body) != want {
		t.Errorf("got %d bytes, compressed %v, %v", len(got.Body), got.Compressed(), got.Err)
	}
	s.Messages = append(s.Messages, m)
	if _, err := e.Send(e, e.addr, s); err == nil || !strings.Contains(err.Error(), "message 0 is compressed") {
		t.Errorf("in a batch: %v", err)
	}
}

func missing(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	pull := func(group string, q rocketmq.Queue) error {
		_, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 1})
		return err
	}
	err := pull(group, e.queue(name(), 0))
	wantErr(t, "pull from a topic that is not there", err, rocketmq.ErrNotFound)
	wantCode(t, "pull from a topic that is not there", err, rocketmq.CodeTopicNotExist)
	wantCode(t, "pull for a group that is not there", pull(name(), e.queue(topic, 0)), rocketmq.CodeGroupNotExist)
	wantCode(t, "pull from a queue that is not there", pull(group, e.queue(topic, 7)), rocketmq.CodeInvalidParameter)
	_, err = e.Send(e, e.addr, rocketmq.SendRequest{Group: "p", Queue: e.queue(name(), 0), Messages: []rocketmq.OutMessage{{Body: []byte("x")}}})
	wantErr(t, "send to a topic that is not there", err, rocketmq.ErrNotFound)
}

func longPoll(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	type answer struct {
		rocketmq.PullResult
		error
	}
	answers := make(chan answer, 1)
	go func() {
		r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 32, Wait: 15 * time.Second})
		answers <- answer{r, err}
	}()
	select { // other calls on the connection go on meanwhile
	case a := <-answers:
		t.Fatalf("the poll did not wait: %+v", a)
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := e.MaxOffset(e, e.addr, q); err != nil {
		t.Error(err)
	}
	sent := time.Now()
	e.send(t, q, "wake up")
	a := <-answers
	must(t, a.error)
	if a.Status != rocketmq.Found || len(a.Messages) != 1 {
		t.Errorf("got %+v", a.PullResult)
	}
	// Before the poll's own 15 s are over. A busy broker may come to it only when it looks through all polls that wait, every 5 s.
	if late := time.Since(sent); late > 14*time.Second {
		t.Errorf("the message came %v after it was sent", late)
	}
}

func longPollEmpty(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	p := rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 32}
	r, err := e.Pull(e, e.addr, p)
	must(t, err)
	if r.Status != rocketmq.NoNewMessage || r.Next != 0 {
		t.Errorf("without waiting: %+v", r)
	}
	p.Wait = 300 * time.Millisecond
	began := time.Now()
	r, err = e.Pull(e, e.addr, p)
	must(t, err)
	if r.Status != rocketmq.NoNewMessage || time.Since(began) < p.Wait {
		t.Errorf("after %v of %v: %+v", time.Since(began), p.Wait, r)
	}
	ctx, cancel := context.WithTimeout(e, 200*time.Millisecond)
	defer cancel()
	p.Wait = 15 * time.Second
	began = time.Now()
	_, err = e.Pull(ctx, e.addr, p)
	wantErr(t, "pull with a deadline", err, context.DeadlineExceeded)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the deadline of 200 ms was noticed after %v", took)
	}
}

func offsetMoved(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	e.send(t, q, "a", "b")
	e.pull(t, rocketmq.PullRequest{Group: group, Queue: q, Offset: 1}) // until they can be seen
	r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, Offset: 99, MaxMessages: 1, Wait: time.Second})
	must(t, err)
	if r.Status != rocketmq.OffsetIllegal || r.Next != 2 {
		t.Errorf("beyond the end: %+v", r)
	}
}

func filtered(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	for _, tag := range []string{"A", "B", "C"} {
		_, err := e.Send(e, e.addr, rocketmq.SendRequest{Group: "p", Queue: q, Messages: []rocketmq.OutMessage{
			{Properties: rocketmq.Fields{{Name: "TAGS", Value: tag}}, Body: []byte(tag)},
		}})
		must(t, err)
	}
	e.pull(t, rocketmq.PullRequest{Group: group, Queue: q, Offset: 2}) // until they can be seen
	pull := func(expression string) rocketmq.PullResult {
		r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 32, Wait: time.Second, Subscription: rocketmq.Subscription{Expression: expression}})
		must(t, err)
		return r
	}
	if r := pull("A || C"); r.Status != rocketmq.Found || len(r.Messages) != 2 || r.Next != 3 || r.Messages[1].Offset != 2 {
		t.Errorf("two of three match: %+v", r)
	}
	if r := pull("D"); r.Status != rocketmq.NoMatchedMessage || r.Next != 3 || r.Deleted {
		t.Errorf("none matches: %+v", r)
	}
}

func peek(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 0)
	e.send(t, q, "a", "b", "c")
	e.pull(t, rocketmq.PullRequest{Group: group, Queue: q, Offset: 2}) // until they can be seen
	must(t, e.CommitOffset(e, e.addr, group, q, 1))
	const resetOffset rocketmq.Op = 222
	_, err := e.Do(e, e.addr, resetOffset, rocketmq.Fields{
		{Name: "topic", Value: q.Topic}, {Name: "group", Value: group}, {Name: "queueId", Value: "0"}, {Name: "offset", Value: "2"}, {Name: "timestamp", Value: "-1"}, {Name: "isForce", Value: "true"},
	}, nil)
	must(t, err)
	m, err := e.Peek(e, e.addr, q, 1)
	must(t, err)
	if string(m.Body) != "b" || m.Offset != 1 || m.Queue != q || m.Stored == 0 {
		t.Errorf("peeked at %+v", m)
	}
	r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: q, MaxMessages: 1})
	must(t, err)
	if r.Status != rocketmq.OffsetIllegal || r.Next != 2 {
		t.Errorf("after somebody peeked the group hears %+v, not where it was reset to", r)
	}
	_, err = e.Peek(e, e.addr, q, 3)
	wantErr(t, "peek at the end", err, rocketmq.ErrNotFound)
}

func checkSubscription(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	config, err := e.BrokerConfig(e, e.addr)
	must(t, err)
	check := func(s rocketmq.Subscription) error {
		s.Topic = topic
		return e.CheckSubscription(e, e.addr, group, s)
	}
	must(t, check(rocketmq.Subscription{Expression: "A || B"}))
	good, wrong := check(rocketmq.Subscription{Type: rocketmq.TypeSQL92, Expression: "amount > 100"}), check(rocketmq.Subscription{Type: rocketmq.TypeSQL92, Expression: "amount >"})
	if !config.Enabled(rocketmq.PropertyFilter) {
		wantErr(t, "a subscription by properties", good, rocketmq.ErrNoFilter)
		return
	}
	must(t, good)
	wantErr(t, "an expression that ends in an operator", wrong, rocketmq.ErrExpression)
}

func sendBack(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	join(t, e, e.Client, group, "m@1", topic) // makes the retry topic
	e.send(t, e.queue(topic, 0), "again")
	m := e.pull(t, rocketmq.PullRequest{Group: group, Queue: e.queue(topic, 0)})[0]
	id := m.ID()
	retry := e.queue(rocketmq.RetryTopic(group), 0)
	for attempt := 1; attempt <= 2; attempt++ {
		sent := time.Now()
		must(t, e.SendBack(e, e.addr, rocketmq.SendBackRequest{Group: group, Message: &m, DelayLevel: 1, MaxReconsume: 5}))
		m = e.pull(t, rocketmq.PullRequest{Group: group, Queue: retry, Offset: int64(attempt - 1)})[0]
		if m.Topic != topic || m.Queue != retry || m.Reconsumed != attempt || string(m.Body) != "again" || m.Property(rocketmq.PropertyOriginID) != id {
			t.Errorf("came back as %+v, id %q, want %q", m, m.Property(rocketmq.PropertyOriginID), id)
		}
		if took := time.Since(sent); took < 500*time.Millisecond {
			t.Errorf("came back after %v, level 1 is 1 s", took)
		}
	}
	lost := m
	lost.PhysicalOffset = 1 << 50
	wantErr(t, "send back what is not there", e.SendBack(e, e.addr, rocketmq.SendBackRequest{Group: group, Message: &lost, MaxReconsume: 5}), rocketmq.ErrDeleted)
}

func delayed(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	join(t, e, e.Client, group, "m@1", topic) // makes the retry topic
	e.send(t, e.queue(topic, 0), "later")
	m := e.pull(t, rocketmq.PullRequest{Group: group, Queue: e.queue(topic, 0)})[0]
	const level = 3 // 10 s, in which it is looked at on a busy machine, too
	must(t, e.SendBack(e, e.addr, rocketmq.SendBackRequest{Group: group, Message: &m, DelayLevel: level, MaxReconsume: 5}))
	waits := func() (found *rocketmq.Message) {
		queue := e.queue(rocketmq.DelayTopic, level-1)
		offsets, err := e.DelayOffsets(e, e.addr)
		must(t, err)
		stats, err := e.TopicStats(e, e.addr, rocketmq.DelayTopic)
		must(t, err)
		for offset := max(offsets[level], stats.Queues[queue].Min); offset < stats.Queues[queue].Max; {
			r, err := e.Pull(e, e.addr, rocketmq.PullRequest{Group: group, Queue: queue, Offset: offset, MaxMessages: 32, Subscription: rocketmq.Subscription{Topic: queue.Topic, Expression: "*"}})
			must(t, err)
			for i := range r.Messages {
				if r.Messages[i].Property(rocketmq.PropertyRealTopic) == rocketmq.RetryTopic(group) {
					found = &r.Messages[i]
				}
			}
			offset = max(r.Next, offset+1)
		}
		return found
	}
	var found *rocketmq.Message
	eventually(t, "sight of what waits", func() bool { // a broker shows a moment later what it has confirmed
		found = waits()
		return found != nil
	})
	if string(found.Body) != "later" || time.Since(time.UnixMilli(found.Stored)) > time.Minute {
		t.Errorf("it waits as %+v", found)
	}
	e.pull(t, rocketmq.PullRequest{Group: group, Queue: e.queue(rocketmq.RetryTopic(group), 0)})
	eventually(t, "end of its wait", func() bool { return waits() == nil })
}

func giveBack(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	join(t, e, e.Client, group, "m@1", topic) // makes the retry topic
	retry, dead := e.queue(rocketmq.RetryTopic(group), 0), e.queue(rocketmq.DeadLetterTopic(group), 0)
	must(t, e.PutTopic(e, e.addr, rocketmq.TopicConfig{Name: dead.Topic, ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}))
	held, err := e.Lock(e, e.addr, group, "m@1", []rocketmq.Queue{e.queue(topic, 0)})
	must(t, err)
	if len(held) != 1 {
		t.Fatalf("locked are %v", held)
	}
	const origin = "0A00000100002A9F0000000000000300"
	write := func(q rocketmq.Queue) {
		_, err := e.Send(e, e.addr, rocketmq.SendRequest{Group: group, Queue: q, Messages: []rocketmq.OutMessage{{
			Body: []byte("dead"), Properties: rocketmq.Fields{{Name: rocketmq.PropertyRetryTopic, Value: topic}, {Name: rocketmq.PropertyOriginID, Value: origin}},
		}}})
		must(t, err)
	}
	write(dead)
	write(retry) // a group with locks is taken for one that keeps order, and has no retries
	letters := e.pull(t, rocketmq.PullRequest{Group: group, Queue: dead, Offset: 1})
	if len(letters) != 1 || string(letters[0].Body) != "dead" {
		t.Errorf("what was written to the retry topic is not among the dead letters: %+v", letters)
	}
	letter := e.pull(t, rocketmq.PullRequest{Group: group, Queue: dead})[0]
	must(t, e.SendBack(e, e.addr, rocketmq.SendBackRequest{Group: group, Message: &letter, DelayLevel: 1, MaxReconsume: 5}))
	m := e.pull(t, rocketmq.PullRequest{Group: group, Queue: retry})[0]
	if m.Topic != topic || m.Reconsumed != 1 || m.Property(rocketmq.PropertyOriginID) != origin || string(m.Body) != "dead" {
		t.Errorf("it came as %+v", m)
	}
}

func deadLetter(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	join(t, e, e.Client, group, "m@1", topic)
	e.send(t, e.queue(topic, 0), "given up", "tried too often")
	dead := e.queue(rocketmq.DeadLetterTopic(group), 0)
	for i, s := range []rocketmq.SendBackRequest{
		{DelayLevel: -1, MaxReconsume: 5},
		{DelayLevel: 1, MaxReconsume: 0},
	} {
		m := e.pull(t, rocketmq.PullRequest{Group: group, Queue: e.queue(topic, 0), Offset: int64(i)})[0]
		s.Group, s.Message = group, &m
		must(t, e.SendBack(e, e.addr, s))
		eventually(t, "dead letter", func() bool {
			end, err := e.MaxOffset(e, e.addr, dead)
			must(t, err)
			return end > int64(i)
		})
		d := e.pull(t, rocketmq.PullRequest{Group: group, Queue: dead, Offset: int64(i)})[0]
		if string(d.Body) != string(m.Body) || d.Topic != dead.Topic || d.Property(rocketmq.PropertyRetryTopic) != topic {
			t.Errorf("the dead letter is %+v, from %q", d, d.Property(rocketmq.PropertyRetryTopic))
		}
	}
}
