// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func clusterInfo(t *testing.T, e *env) {
	runtime, err := e.BrokerRuntime(e, e.addr)
	must(t, err)
	if runtime.Version() != "V5_5_0" {
		t.Errorf("the version is %q", runtime.Version())
	}
	config, err := e.BrokerConfig(e, e.addr)
	must(t, err)
	for property, want := range map[string]bool{
		rocketmq.AutoCreateTopic: false,
		rocketmq.AutoCreateGroup: false,
		rocketmq.TimerWheel:      true,
	} {
		if config.Enabled(property) != want {
			t.Errorf("%s is %q", property, config[property])
		}
	}
	levels, err := rocketmq.ParseDelayLevels(config[rocketmq.DelayLevels])
	must(t, err)
	if diff := cmp.Diff(worker.DelayLevels(), levels); diff != "" {
		t.Errorf("the delay levels are not those that workers count on: %s", diff)
	}
	if config["brokerName"] != e.broker {
		t.Errorf("the broker calls itself %q, the name server %q", config["brokerName"], e.broker)
	}
	topic := e.topic(t)
	eventually(t, "topic in the list", func() bool {
		names, err := e.cluster.TopicNames(e)
		must(t, err)
		return slices.Contains(names, topic)
	})
}

func topicLifecycle(t *testing.T, e *env) {
	want := rocketmq.TopicConfig{
		Name: name(), ReadQueues: 2, WriteQueues: 2, Perm: rocketmq.PermRead | rocketmq.PermWrite,
		Attributes: map[string]string{"message.type": "DELAY"},
	}
	_, err := e.TopicConfig(e, e.addr, want.Name)
	wantErr(t, "read a topic that is not there", err, rocketmq.ErrNotFound)
	_, err = e.cluster.Route(e, want.Name)
	wantErr(t, "route of a topic that is not there", err, rocketmq.ErrNotFound)

	for range 2 { // the same again changes nothing
		must(t, e.PutTopic(e, e.addr, want))
	}
	got, err := e.TopicConfig(e, e.addr, want.Name)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-put +got):\n%s", diff)
	}

	want.ReadQueues, want.WriteQueues = 4, 3
	want.Attributes = nil // alters none
	must(t, e.PutTopic(e, e.addr, want))
	want.Attributes = map[string]string{"message.type": "DELAY"}
	got, err = e.TopicConfig(e, e.addr, want.Name)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back after growing (-put +got):\n%s", diff)
	}
	var queues []rocketmq.Queue
	eventually(t, "route of four queues", func() bool {
		route, err := e.cluster.Route(e, want.Name)
		must(t, err)
		if route.Masters()[e.broker] != e.addr {
			t.Errorf("the master is at %q in the route", route.Masters()[e.broker])
		}
		queues = route.Readable(want.Name)
		return len(queues) == 4
	})
	for id, q := range queues {
		if q != e.queue(want.Name, id) {
			t.Errorf("queue %d of the route is %v", id, q)
		}
	}

	for range 2 { // not being there is no error
		must(t, e.DeleteTopic(e, e.addr, want.Name))
	}
	_, err = e.TopicConfig(e, e.addr, want.Name)
	wantErr(t, "read a deleted topic", err, rocketmq.ErrNotFound)
	if _, err = e.cluster.Route(e, want.Name); err != nil {
		t.Errorf("the name server forgot a topic that only the broker deleted: %v", err)
	}
	for range 2 {
		must(t, e.cluster.DeleteRoute(e, want.Name))
	}
	_, err = e.cluster.Route(e, want.Name)
	wantErr(t, "route of a deleted topic", err, rocketmq.ErrNotFound)
}

func topicName(t *testing.T, e *env) {
	bad := rocketmq.TopicConfig{Name: "bad topic name!", ReadQueues: 1, WriteQueues: 1, Perm: 6}
	err := e.PutTopic(e, e.addr, bad)
	wantErr(t, "create", err, rocketmq.ErrRefused)
	wantCode(t, "create", err, rocketmq.CodeInvalidParameter)
}

func groupLifecycle(t *testing.T, e *env) {
	want := rocketmq.NewGroupConfig(name())
	_, err := e.GroupConfig(e, e.addr, want.Name)
	wantErr(t, "read a group that is not there", err, rocketmq.ErrNotFound)

	must(t, e.PutGroup(e, e.addr, want))
	got, err := e.GroupConfig(e, e.addr, want.Name)
	must(t, err)
	if diff := cmp.Diff(want.RetryMaxTimes, got.RetryMaxTimes); diff != "" || got.TimeoutMinutes != want.TimeoutMinutes || !got.ConsumeEnable {
		t.Errorf("read back: %+v", got)
	}
	if _, ok := got.Other["groupRetryPolicy"]; !ok {
		t.Errorf("the fields not known here are %v, without groupRetryPolicy", got.Other)
	}

	got.RetryMaxTimes, got.ConsumeEnable, got.NotifyMembers = 3, false, false
	got.Attributes = map[string]string{"priority.factor": "3"}
	must(t, e.PutGroup(e, e.addr, got))
	again, err := e.GroupConfig(e, e.addr, want.Name)
	must(t, err)
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("read back (-put +got):\n%s", diff)
	}
	groups, err := e.Groups(e, e.addr)
	must(t, err)
	if diff := cmp.Diff(got, groups[want.Name]); diff != "" {
		t.Errorf("among all groups (-put +got):\n%s", diff)
	}

	for range 2 { // not being there is no error
		must(t, e.DeleteGroup(e, e.addr, want.Name, true))
	}
	_, err = e.GroupConfig(e, e.addr, want.Name)
	wantErr(t, "read a deleted group", err, rocketmq.ErrNotFound)
}

func groupPages(t *testing.T, e *env) {
	for range 3 {
		e.group(t)
	}
	pages := map[string]bool{}
	version := ""
	for {
		fields := rocketmq.Fields{{Name: "groupSeq", Value: strconv.Itoa(len(pages))}, {Name: "maxGroupNum", Value: "2"}, {Name: "dataVersion", Value: version}}
		r, err := e.Do(e, e.addr, rocketmq.OpAllGroups, fields, nil)
		must(t, err)
		var page struct {
			Version json.RawMessage            `json:"dataVersion"`
			Groups  map[string]json.RawMessage `json:"subscriptionGroupTable"`
		}
		must(t, json.Unmarshal(r.Body, &page))
		if version != "" && version != string(page.Version) {
			t.Skip("somebody else changes groups of this broker")
		}
		version = string(page.Version)
		for name := range page.Groups {
			pages[name] = true
		}
		if len(page.Groups) == 0 {
			if total := r.Fields.Get("totalGroupNum"); total != strconv.Itoa(len(pages)) {
				t.Errorf("the pages hold %d groups of %s", len(pages), total)
			}
			return
		}
		if len(page.Groups) > 2 {
			t.Fatalf("a page of two has %d", len(page.Groups))
		}
	}
}

func groupDefaults(t *testing.T, e *env) {
	group := e.group(t)
	config, err := e.GroupConfig(e, e.addr, group)
	must(t, err)
	config.RetryMaxTimes = 3
	must(t, e.PutGroup(e, e.addr, config))
	body, err := json.Marshal(map[string]string{"groupName": group})
	must(t, err)
	_, err = e.Do(e, e.addr, rocketmq.OpPutGroup, nil, body)
	must(t, err)
	config, err = e.GroupConfig(e, e.addr, group)
	must(t, err)
	if config.RetryMaxTimes != 16 {
		t.Errorf("retryMaxTimes is %d after a write without it, not the default: reading first is no longer needed", config.RetryMaxTimes)
	}
}

func offsetLifecycle(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(e.topic(t), 1)
	_, err := e.QueryOffset(e, e.addr, group, q)
	wantErr(t, "query before any commit", err, rocketmq.ErrNotFound)
	for _, offset := range []int64{0, 7, 3} { // a lower one is not refused
		must(t, e.CommitOffset(e, e.addr, group, q, offset))
		got, err := e.QueryOffset(e, e.addr, group, q)
		must(t, err)
		if got != offset {
			t.Errorf("committed %d, read %d", offset, got)
		}
	}
	all, err := e.AllOffsets(e, e.addr)
	must(t, err)
	if diff := cmp.Diff(map[int]int64{1: 3}, all[rocketmq.GroupTopic{Group: group, Topic: q.Topic}]); diff != "" {
		t.Errorf("all offsets of the group (-want +got):\n%s", diff)
	}
	must(t, e.DeleteGroup(e, e.addr, group, true))
	must(t, e.PutGroup(e, e.addr, rocketmq.NewGroupConfig(group)))
	_, err = e.QueryOffset(e, e.addr, group, q)
	wantErr(t, "query after the group was deleted with its offsets", err, rocketmq.ErrNotFound)
}

func offsetsOfNothing(t *testing.T, e *env) {
	group, q := e.group(t), e.queue(name(), 0)
	wantErr(t, "commit", e.CommitOffset(e, e.addr, group, q, 5), rocketmq.ErrNotFound)
	_, err := e.QueryOffset(e, e.addr, group, q)
	wantErr(t, "query", err, rocketmq.ErrNotFound)
	for says, offset := range map[string]func() (int64, error){
		"max":    func() (int64, error) { return e.MaxOffset(e, e.addr, q) },
		"min":    func() (int64, error) { return e.MinOffset(e, e.addr, q) },
		"search": func() (int64, error) { return e.SearchOffset(e, e.addr, q, time.Now()) },
	} {
		if got, err := offset(); got != 0 || err != nil {
			t.Errorf("%s: got %d, %v", says, got, err)
		}
	}
}

func offsetOfNoQueue(t *testing.T, e *env) {
	group, topic := e.group(t), e.topic(t)
	join(t, e, e.Client, group, "m@1", topic) // makes the retry topic
	retry := rocketmq.RetryTopic(group)
	last := e.queue(retry, 1<<20+1023)
	_, err := e.QueryOffset(e, e.addr, group, last)
	wantErr(t, "query before any commit", err, rocketmq.ErrNotFound)
	must(t, e.CommitOffset(e, e.addr, group, e.queue(retry, 0), 0))
	counted := func() (stats rocketmq.ConsumeStats, content rocketmq.TopicStats) {
		stats, err := e.ConsumeStats(e, e.addr, group, "")
		must(t, err)
		content, err = e.TopicStats(e, e.addr, retry)
		must(t, err)
		return stats, content
	}
	stats, content := counted()
	for _, offset := range []int64{math.MaxInt64, 0, 1 << 62} {
		must(t, e.CommitOffset(e, e.addr, group, last, offset))
		got, err := e.QueryOffset(e, e.addr, group, last)
		must(t, err)
		if got != offset {
			t.Errorf("committed %d, read %d", offset, got)
		}
	}
	afterwards, still := counted()
	if diff := cmp.Diff(stats, afterwards) + cmp.Diff(content, still); diff != "" || len(stats.Queues) != 1 {
		t.Errorf("the statistics before (-) and after (+):\n%s", diff)
	}
	all, err := e.AllOffsets(e, e.addr)
	must(t, err)
	if diff := cmp.Diff(map[int]int64{0: 0, last.ID: 1 << 62}, all[rocketmq.GroupTopic{Group: group, Topic: retry}]); diff != "" {
		t.Errorf("all offsets of the group (-want +got):\n%s", diff)
	}
	must(t, e.DeleteGroup(e, e.addr, group, true))
	must(t, e.PutGroup(e, e.addr, rocketmq.NewGroupConfig(group)))
	_, err = e.QueryOffset(e, e.addr, group, last)
	wantErr(t, "query after the group was deleted with its offsets", err, rocketmq.ErrNotFound)
}

func offsetByTime(t *testing.T, e *env) {
	q := e.queue(e.topic(t), 0)
	e.send(t, q, "one", "two")
	p := rocketmq.PullRequest{Group: e.group(t), Queue: q, Offset: 1}
	e.pull(t, p) // until both can be seen
	p.Offset = 0
	messages := e.pull(t, p)
	stored := messages[0].StoredAt()
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{stored.Add(-time.Hour), 0},
		{stored, 0},
		{stored.Add(time.Hour), 2},
	} {
		got, err := e.SearchOffset(e, e.addr, q, c.at)
		must(t, err)
		if got != c.want {
			t.Errorf("at %v after storing: got %d, want %d", c.at.Sub(stored), got, c.want)
		}
	}
}

func statistics(t *testing.T, e *env) {
	topic, group := e.topic(t), e.group(t)
	first, second := e.queue(topic, 0), e.queue(topic, 1)
	e.send(t, first, "a", "b", "c")
	must(t, e.CommitOffset(e, e.addr, group, first, 1))
	eventually(t, "three messages in the statistics", func() bool {
		stats, err := e.TopicStats(e, e.addr, topic)
		must(t, err)
		return len(stats.Queues) == 2 && stats.Queues[first].Max == 3 && stats.Queues[first].Min == 0 && stats.Queues[second].Max == 0
	})
	for _, scope := range []string{topic, ""} {
		stats, err := e.ConsumeStats(e, e.addr, group, scope)
		must(t, err)
		if p := stats.Queues[first]; p.BrokerOffset != 3 || p.ConsumerOffset != 1 || stats.Lag() != 2 {
			t.Errorf("scope %q: %+v, lag %d", scope, p, stats.Lag())
		}
	}
	_, err := e.TopicStats(e, e.addr, name())
	wantErr(t, "statistics of a topic that is not there", err, rocketmq.ErrNotFound)
	stats, err := e.ConsumeStats(e, e.addr, name(), "")
	must(t, err)
	if len(stats.Queues) != 0 {
		t.Errorf("a group never seen has %v", stats.Queues)
	}
}

func signing(t *testing.T, e *env) {
	right := e.target.Credentials
	if right.AccessKey == "" {
		t.Skip("this target checks no signatures")
	}
	wrong, token := right, right
	wrong.SecretKey += "x"
	token.SecurityToken = "sts"
	for _, c := range []struct {
		says string
		cred rocketmq.Credentials
		want error
	}{
		{"no credentials", rocketmq.Credentials{}, rocketmq.ErrPermission},
		{"a wrong secret", wrong, rocketmq.ErrPermission},
		{"the right ones", right, nil},
		{"the right ones with a token", token, nil},
	} {
		client := rocketmq.NewClient(rocketmq.Config{Credentials: func() rocketmq.Credentials { return c.cred }})
		defer client.Close()
		if _, err := client.Groups(e, e.addr); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.says, err, c.want)
		}
	}
}

func unknownRequest(t *testing.T, e *env) {
	_, err := e.Do(e, e.addr, 9999, nil, nil)
	wantErr(t, "request 9999", err, rocketmq.ErrRefused)
	wantCode(t, "request 9999", err, rocketmq.CodeNotSupported)
}
