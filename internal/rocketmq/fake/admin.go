// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// topic is a topic at one broker.
type topic struct {
	config  rocketmq.TopicConfig
	queues  map[int][]*rocketmq.Message
	mins    map[int]int64 // what lies below has been deleted
	holes   map[int]int64 // what lies below is not found any more, and still counted
	changed chan struct{} // closed when a message comes
}

var allowedName = regexp.MustCompile(`^[%|a-zA-Z0-9_-]+$`)

func (b *Broker) putTopic(q call) answer {
	config := rocketmq.TopicConfig{
		Name:        q.Fields.Get("topic"),
		ReadQueues:  q.int("readQueueNums"),
		WriteQueues: q.int("writeQueueNums"),
		Perm:        q.int("perm"),
		SysFlag:     q.int("topicSysFlag"),
		Order:       q.Fields.Get("order") == "true",
		Attributes:  map[string]string{},
	}
	switch {
	case !allowedName.MatchString(config.Name):
		return refuse(rocketmq.CodeInvalidParameter, "The specified topic: %s, contains illegal characters, allowing only %s", config.Name, allowedName)
	case q.Fields.Get("topicFilterType") == "":
		return refuse(rocketmq.CodeSystemError, "the custom field <topicFilterType> is null")
	}
	if old := b.topics[config.Name]; old != nil {
		maps.Copy(config.Attributes, old.config.Attributes)
	}
	for change := range strings.SplitSeq(q.Fields.Get("attributes"), ",") {
		if name, value, ok := strings.Cut(strings.TrimPrefix(change, "+"), "="); ok {
			config.Attributes[name] = value
		}
	}
	b.keepTopic(config)
	return answer{}
}

func newTopic(config rocketmq.TopicConfig) *topic {
	return &topic{config: config, queues: map[int][]*rocketmq.Message{}, mins: map[int]int64{}, holes: map[int]int64{}, changed: make(chan struct{})}
}

// keepTopic creates or overwrites a topic and tells the name server.
func (b *Broker) keepTopic(config rocketmq.TopicConfig) *topic {
	t := b.topics[config.Name]
	if t == nil {
		t = newTopic(config)
		b.topics[config.Name] = t
	}
	t.config = config
	b.cluster.routes[config.Name] = true
	return t
}

// groupTopic returns a group's retry or dead-letter topic, made if need be.
func (b *Broker) groupTopic(name string, queues int) *topic {
	if t := b.topics[name]; t != nil {
		return t
	}
	return b.keepTopic(rocketmq.TopicConfig{
		Name: name, ReadQueues: queues, WriteQueues: queues,
		Perm: rocketmq.PermRead | rocketmq.PermWrite, Attributes: map[string]string{},
	})
}

func (b *Broker) topicConfig(q call) answer {
	t := b.topics[q.Fields.Get("topic")]
	if t == nil {
		return refuse(rocketmq.CodeTopicNotExist, "No topic in this broker. topic: %s", q.Fields.Get("topic"))
	}
	return answerJSON(t.config)
}

func (b *Broker) deleteTopic(q call) answer {
	name := q.Fields.Get("topic")
	delete(b.topics, name)
	maps.DeleteFunc(b.offsets, func(of rocketmq.GroupTopic, _ map[int]int64) bool { return of.Topic == name })
	return answer{}
}

// byQueue answers with a table keyed by queues under a name, as brokers write it.
func byQueue[V any](name string, table map[rocketmq.Queue]V) answer {
	body, err := rocketmq.AppendByQueue([]byte(`{"`+name+`":`), table)
	if err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	return answer{body: append(body, '}')}
}

func (b *Broker) topicStats(q call) answer {
	name := q.Fields.Get("topic")
	t := b.topics[name]
	if t == nil {
		return refuse(rocketmq.CodeTopicNotExist, "topic[%s] not exist", name)
	}
	stats := map[rocketmq.Queue]rocketmq.QueueStats{}
	for id := range max(t.config.ReadQueues, t.config.WriteQueues) {
		s := rocketmq.QueueStats{Min: t.mins[id], Max: t.max(id)}
		if s.Max > s.Min {
			s.LastUpdated = t.queues[id][s.Max-1].Stored
		}
		stats[rocketmq.Queue{Topic: name, Broker: b.id, ID: id}] = s
	}
	return byQueue("offsetTable", stats)
}

// max is the offset the queue's next message gets.
func (t *topic) max(id int) int64 { return int64(len(t.queues[id])) }

func (b *Broker) putGroup(q call) answer {
	// What is absent takes the default, as Java's constructors have it.
	group := rocketmq.NewGroupConfig("")
	if err := json.Unmarshal(q.Body, &group); err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	if !allowedName.MatchString(group.Name) {
		return refuse(rocketmq.CodeInvalidParameter, "The specified group: %s, contains illegal characters, allowing only %s", group.Name, allowedName)
	}
	attributes := map[string]string{}
	maps.Copy(attributes, b.groups[group.Name].Attributes)
	for name, value := range group.Attributes {
		if !strings.HasPrefix(name, "+") {
			return refuse(rocketmq.CodeSystemError, "wrong format key: %s", name)
		}
		attributes[name[1:]] = value
	}
	group.Attributes = attributes
	if group.Other["groupRetryPolicy"] == nil {
		group.Other = maps.Clone(group.Other)
		group.Other["groupRetryPolicy"] = json.RawMessage(`{"type":"CUSTOMIZED"}`)
	}
	b.groups[group.Name] = group
	b.changes++
	return answer{}
}

func (b *Broker) groupConfig(q call) answer {
	group, ok := b.groups[q.Fields.Get("group")]
	if !ok {
		return refuse(rocketmq.CodeGroupNotExist, "No group in this broker")
	}
	return answerJSON(group)
}

func (b *Broker) allGroups(q call) answer {
	names := slices.Sorted(maps.Keys(b.groups))
	version, _ := json.Marshal(map[string]int{"counter": b.changes}) // cannot fail
	page := names
	if q.Fields.Get("maxGroupNum") != "" {
		from := q.int("groupSeq")
		if q.Fields.Get("dataVersion") != string(version) {
			from = 0
		}
		page = names[min(from, len(names)):]
		page = page[:min(len(page), q.int("maxGroupNum"))]
	}
	groups := map[string]rocketmq.GroupConfig{}
	for _, name := range page {
		groups[name] = b.groups[name]
	}
	a := answerJSON(map[string]any{"subscriptionGroupTable": groups, "dataVersion": json.RawMessage(version)})
	a.fields = rocketmq.Fields{{Name: "totalGroupNum", Value: strconv.Itoa(len(names))}}
	return a
}

func (b *Broker) deleteGroup(q call) answer {
	name := q.Fields.Get("groupName")
	delete(b.groups, name)
	b.changes++
	if q.Fields.Get("cleanOffset") == "true" {
		maps.DeleteFunc(b.offsets, func(of rocketmq.GroupTopic, _ map[int]int64) bool { return of.Group == name })
	}
	return answer{}
}
