// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// traffic is what is known of the messages that come to a topic.
type traffic struct {
	// last is when the brokers stored the last message that they still have; zero: they have none.
	last time.Time
	// unread is done where all brokers told.
	unread result.Result
}

// memory is when a topic's last message was stored, as far as it was asked for: until that is too long ago there is nothing to ask. It is lost with the process, which
// costs one question: the brokers know.
type memory struct {
	mu   sync.Mutex
	last map[types.NamespacedName]time.Time
}

func (m *memory) recall(flow *v1alpha1.OrderFlow) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[client.ObjectKeyFromObject(flow)]
}

func (m *memory) keep(flow *v1alpha1.OrderFlow, last time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = map[types.NamespacedName]time.Time{}
	}
	m.last[client.ObjectKeyFromObject(flow)] = last
}

func (m *memory) forget(flow types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, flow)
}

// listen asks the brokers when the topic's last message was stored, if it may be too long ago.
func (r *Reconciler) listen(ctx context.Context, flow *v1alpha1.OrderFlow, cluster *v1alpha1.MQCluster) traffic {
	heard := traffic{last: r.heard.recall(flow)}
	if !silent(flow, heard.last, r.Now()) {
		return heard
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	admin, unread := r.Connector.Connect(ctx, cluster)
	if !unread.IsDone() {
		return traffic{unread: unread}
	}
	survey, unread := admin.Survey(ctx)
	if !unread.IsDone() {
		return traffic{unread: unread}
	}
	heard = traffic{}
	for _, master := range survey.Masters {
		stats, err := statsOf(ctx, admin, master.Addr, flow.Spec.Topic.Name)
		if err != nil {
			heard.unread = topology.Explain(err, "asking broker %s for the last message of topic %s", master.Name, flow.Spec.Topic.Name)
		}
		for _, q := range stats.Queues {
			if at := time.UnixMilli(q.LastUpdated); q.LastUpdated > 0 && at.After(heard.last) {
				heard.last = at
			}
		}
	}
	if lost := topology.Lost(cluster, survey); len(lost) > 0 {
		heard.unread = result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain, "broker %s is away, and messages may have come to it", lost[0].Name)
	}
	r.heard.keep(flow, heard.last)
	return heard
}

// quietSince is since when no message came: the last one, or that the flow is there, whose producers may not have begun before.
func quietSince(flow *v1alpha1.OrderFlow, last time.Time) time.Time {
	if made := flow.CreationTimestamp.Time; made.After(last) {
		return made
	}
	return last
}

func silent(flow *v1alpha1.OrderFlow, last, now time.Time) bool {
	return now.Sub(quietSince(flow, last)) >= flow.Spec.Topic.ExpectTraffic.Within.Duration
}

// noTraffic is the condition NoTraffic. While messages come it says nothing of them that changes with each.
func noTraffic(flow *v1alpha1.OrderFlow, heard *traffic, unread result.Result, now time.Time) metav1.Condition {
	topic := flow.Spec.Topic
	within := short(topic.ExpectTraffic.Within.Duration)
	c := metav1.Condition{Type: v1alpha1.ConditionNoTraffic, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNotRead, Message: unread.Message}
	switch {
	case heard == nil && unread.IsDone():
		c.Message = "the topic is not this flow's yet"
	case heard == nil:
	case !silent(flow, heard.last, now):
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonMessagesCome, fmt.Sprintf("a message came to topic %s within %s, or the flow is younger than that", topic.Name, within)
	case !heard.unread.IsDone():
		c.Message = heard.unread.Message
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonTopicSilent
		c.Message = fmt.Sprintf("no message has come to topic %s %s, and spec.topic.expectTraffic.within is %s: see that the order system runs and sends, and with what the Secret %s holds now; if such silence is ordinary, raise within",
			topic.Name, describeLast(heard.last), within, bindingName(flow))
	}
	return c
}

func describeLast(last time.Time) string {
	if last.IsZero() {
		return "that its brokers still have"
	}
	return "since " + last.UTC().Format(time.RFC3339)
}

// short is the duration as users write it.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// listenAgain is when silence may begin, or be over, if that is before the next look.
func listenAgain(flow *v1alpha1.OrderFlow, heard *traffic, next time.Duration, now time.Time) time.Duration {
	switch {
	case heard == nil:
		return next
	case silent(flow, heard.last, now):
		return min(next, interval)
	}
	return min(next, quietSince(flow, heard.last).Add(flow.Spec.Topic.ExpectTraffic.Within.Duration).Sub(now))
}
