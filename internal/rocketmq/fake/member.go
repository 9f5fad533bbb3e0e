// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// member is one client of a group, as long as its connection lives.
type member struct {
	id         string
	session    *session
	membership rocketmq.Membership
	language   string
	version    int
}

func (b *Broker) heartbeat(q call) answer {
	var hb rocketmq.Heartbeat
	if err := json.Unmarshal(q.Body, &hb); err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	for _, p := range hb.Producers {
		b.enter(p.Group, producer{hb.ClientID, q.session})
	}
	for _, m := range hb.Consumers {
		group, ok := b.groups[m.Group]
		if !ok {
			continue // like the real one, without a word
		}
		b.groupTopic(rocketmq.RetryTopic(m.Group), group.RetryQueues)
		joined := member{hb.ClientID, q.session, m, q.Language, q.Version}
		i := slices.IndexFunc(b.members[m.Group], func(old member) bool { return old.id == hb.ClientID && old.session == q.session })
		if i >= 0 {
			b.members[m.Group][i] = joined
			continue
		}
		b.members[m.Group] = append(b.members[m.Group], joined)
		b.notify(m.Group)
	}
	return answer{}
}

// notify tells the members of a group that they have become more or fewer.
func (b *Broker) notify(group string) {
	if !b.groups[group].NotifyMembers {
		return
	}
	for _, m := range b.members[group] {
		m.session.notify(rocketmq.OpNotifyMembers, rocketmq.Fields{{Name: "consumerGroup", Value: group}})
	}
}

// leave removes the members that match.
func (b *Broker) leave(group string, match func(member) bool) {
	left := slices.DeleteFunc(slices.Clone(b.members[group]), match)
	if len(left) == len(b.members[group]) {
		return
	}
	if b.members[group] = left; len(left) == 0 {
		delete(b.members, group)
	}
	b.notify(group)
}

func (b *Broker) unregister(q call) answer {
	id := q.Fields.Get("clientID")
	b.leave(q.Fields.Get("consumerGroup"), func(m member) bool { return m.id == id })
	b.dismiss(q.Fields.Get("producerGroup"), func(p producer) bool { return p.id == id })
	return answer{}
}

// gone removes the members and producers of a connection that ended.
func (b *Broker) gone(s *session) {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	for group := range b.members {
		b.leave(group, func(m member) bool { return m.session == s })
	}
	for group := range b.producers {
		b.dismiss(group, func(p producer) bool { return p.session == s })
	}
}

func (b *Broker) listMembers(q call) answer {
	group := q.Fields.Get("consumerGroup")
	ids := []string{}
	for _, m := range b.members[group] {
		ids = append(ids, m.id)
	}
	if len(ids) == 0 {
		return refuse(rocketmq.CodeSystemError, "no consumer for this group, %s", group)
	}
	return answerJSON(map[string][]string{"consumerIdList": ids})
}

func (b *Broker) connections(q call) answer {
	group := q.Fields.Get("consumerGroup")
	members := b.members[group]
	if len(members) == 0 {
		return refuse(rocketmq.CodeConsumerNotOnline, "the consumer group[%s] not online", group)
	}
	last := members[len(members)-1].membership
	c := rocketmq.Connections{Subscriptions: map[string]rocketmq.Subscription{}, ConsumeType: last.ConsumeType, Model: last.Model, From: last.From}
	for _, m := range members {
		c.Members = append(c.Members, rocketmq.Connection{ClientID: m.id, Addr: m.session.conn.RemoteAddr().String(), Language: m.language, Version: m.version})
		for _, s := range m.membership.Subscriptions {
			if c.Subscriptions[s.Topic].Version <= s.Version {
				c.Subscriptions[s.Topic] = s
			}
		}
	}
	return answerJSON(c)
}

func (b *Broker) runningInfo(q call) answer {
	group, id := q.Fields.Get("consumerGroup"), q.Fields.Get("clientId")
	b.cluster.mu.Lock()
	i := slices.IndexFunc(b.members[group], func(m member) bool { return m.id == id })
	var s *session
	if i >= 0 {
		s = b.members[group][i].session
	}
	b.cluster.mu.Unlock()
	if s == nil {
		return refuse(rocketmq.CodeSystemError, "The Consumer <%s> <%s> not online", group, id)
	}
	return s.relay(q.Command)
}

func (b *Broker) checkSubscription(q call) answer {
	var asked struct {
		Subscription rocketmq.Subscription `json:"subscriptionData"`
	}
	if err := json.Unmarshal(q.Body, &asked); err != nil {
		return refuse(rocketmq.CodeSystemError, "%v", err)
	}
	return b.refusal(asked.Subscription)
}

// refusal is what the real one says of a subscription that it does not serve.
func (b *Broker) refusal(s rocketmq.Subscription) answer {
	switch {
	case s.Type != rocketmq.TypeSQL92:
		return answer{}
	case b.cluster.cfg.Properties[rocketmq.PropertyFilter] != "true":
		return refuse(rocketmq.CodeSystemError, "The broker does not support consumer to filter message by %s", s.Type)
	case strings.ContainsAny(s.Expression[max(0, len(s.Expression)-1):], "=<>(+-*/"):
		return refuse(rocketmq.CodeSubscriptionInvalid, "Encountered \"<EOF>\" at the end of %s", s.Expression)
	}
	return answer{}
}
