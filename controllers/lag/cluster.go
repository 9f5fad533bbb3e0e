// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// maxCalls in flight at once towards one cluster.
	maxCalls = 8
	// maxQuestions about single messages, towards one cluster in one pass: all else a pass costs does not grow with the messages that wait, and this must not.
	maxQuestions = 2
)

// clusterView is how a cluster is asked.
type clusterView struct {
	admin    *topology.Admin
	masters  []topology.Master
	surveyed time.Time
}

// survey finds the master brokers, unless that was done a moment ago.
func (v *clusterView) survey(ctx context.Context, connector *topology.Connector, cluster *v1alpha1.MQCluster, now time.Time) error {
	if now.Sub(v.surveyed) < surveyInterval {
		return nil
	}
	admin, r := connector.Connect(ctx, cluster)
	if !r.IsDone() {
		return unusable(r.Message)
	}
	seen, r := admin.Survey(ctx)
	if !r.IsDone() {
		return unusable(r.Message)
	}
	v.admin, v.masters, v.surveyed = admin, seen.Masters, now
	return nil
}

// unusable is the sentence that says why a cluster cannot be asked.
type unusable string

func (u unusable) Error() string { return string(u) }

// topicEnds are the ends of a topic's queues over all brokers.
type topicEnds map[rocketmq.Queue]rocketmq.QueueStats

// content is the number of messages in the topic.
func (e topicEnds) content() (n int64) {
	for _, q := range e {
		n += q.Max - q.Min
	}
	return n
}

// reading is what the brokers of a cluster said in one pass.
type reading struct {
	committed map[rocketmq.GroupTopic]map[rocketmq.Queue]int64
	ends      map[string]topicEnds
}

// read asks every broker for all offsets and for the ends of the topics. One that does not answer makes the whole reading fail.
func (v *clusterView) read(ctx context.Context, topics map[string]bool) (reading, error) {
	seen := reading{committed: map[rocketmq.GroupTopic]map[rocketmq.Queue]int64{}, ends: map[string]topicEnds{}}
	var mu sync.Mutex
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(maxCalls)
	for _, master := range v.masters {
		calls.Go(func() error {
			offsets, err := v.admin.AllOffsets(ctx, master.Addr)
			mu.Lock()
			defer mu.Unlock()
			seen.addOffsets(master.Name, offsets)
			return err
		})
		for topic := range topics {
			calls.Go(func() error {
				stats, err := v.admin.TopicStats(ctx, master.Addr, topic)
				if isNotFound(err) {
					return nil // a topic need not be on every broker
				}
				mu.Lock()
				defer mu.Unlock()
				if seen.ends[topic] == nil {
					seen.ends[topic] = topicEnds{}
				}
				maps.Copy(seen.ends[topic], stats.Queues)
				return err
			})
		}
	}
	return seen, calls.Wait()
}

func (r reading) addOffsets(broker string, offsets map[rocketmq.GroupTopic]map[int]int64) {
	for of, queues := range offsets {
		if r.committed[of] == nil {
			r.committed[of] = map[rocketmq.Queue]int64{}
		}
		for id, offset := range queues {
			r.committed[of][rocketmq.Queue{Topic: of.Topic, Broker: broker, ID: id}] = offset
		}
	}
}

// positions is where the target's group stands in its topic and its retry topic.
func (r reading) positions(t Target, topics ...topicEnds) map[rocketmq.Queue]Position {
	positions := map[rocketmq.Queue]Position{}
	for _, ends := range topics {
		for q, end := range ends {
			p := Position{Min: end.Min, Max: end.Max, Newest: end.LastUpdated, Committed: -1}
			if committed, ok := r.committed[rocketmq.GroupTopic{Group: t.Group, Topic: q.Topic}][q]; ok {
				p.Committed = committed
			}
			positions[q] = p
		}
	}
	return positions
}

// letters is where the target's group stands with its dead letters: those before what replays have gone through do not wait any more.
func (t Target) letters(ends topicEnds) map[rocketmq.Queue]Position {
	positions := map[rocketmq.Queue]Position{}
	for q, end := range ends {
		positions[q] = Position{Min: end.Min, Max: end.Max, Newest: end.LastUpdated, Committed: t.Replayed[q]}
	}
	return positions
}

// ask asks brokers when messages were stored, a few of all questions at a time, and the one first that was asked longest ago.
func (v *clusterView) ask(ctx context.Context, open []question) []answer {
	slices.SortFunc(open, func(a, b question) int { return a.track.asked.Compare(b.track.asked) })
	var answers []answer
	for _, q := range open[:min(len(open), maxQuestions)] {
		i := slices.IndexFunc(v.masters, func(m topology.Master) bool { return m.Name == q.queue.Broker })
		if i < 0 {
			continue // it is gone since the look
		}
		a := answer{question: q}
		if m, err := v.admin.Peek(ctx, v.masters[i].Addr, q.queue, q.offset); err == nil {
			a.offset, a.stored = m.Offset, m.StoredAt()
		}
		answers = append(answers, a)
	}
	return answers
}

// answer is that of a broker; where it does not know, the zero time.
type answer struct {
	question
	stored time.Time
}

func isNotFound(err error) bool { return errors.Is(err, rocketmq.ErrNotFound) }
