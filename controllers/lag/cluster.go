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
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// maxCalls in flight at once towards one cluster.
	maxCalls = 8
	// silence is for how long no pass succeeds until the brokers are taken for silent: they restart within it, as a rule.
	silence = 10 * time.Second
	// maxQuestions about single messages, towards one cluster in one pass: all else a pass costs does not grow with the messages that wait, and this must not.
	maxQuestions = 2
)

// clusterView is how a physical cluster is asked, and what it said last.
type clusterView struct {
	admin    *topology.Admin
	masters  []topology.Master
	surveyed time.Time
	// failing says that the last pass failed, and heard is when one last succeeded, or else when the first one ended.
	failing bool
	heard   time.Time
	silent  bool
	// firsts is how many groups are counted for the first time in the next pass: half as many after one that took too long, or failed otherwise.
	firsts int

	// targets of this look, and which of their own topics are to be read: kept for their room, as there may be thousands each second.
	targets []Target
	own     []need

	// committed are the offsets of each master by its name, and marks what they were read as.
	committed map[string]rocketmq.Offsets
	marks     map[string][]byte
	topics    map[string]*topicView
}

// topicView is a topic as it was last read.
type topicView struct {
	read time.Time
	ends topicEnds
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

// meanings are the MQClusters that mean this physical cluster.
func (v *clusterView) meanings() (clusters []*v1alpha1.MQCluster) {
	known := map[types.NamespacedName]bool{}
	for _, t := range v.targets {
		if key := client.ObjectKeyFromObject(t.Cluster); !known[key] {
			known[key] = true
			clusters = append(clusters, t.Cluster)
		}
	}
	return clusters
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

// read asks every broker for all offsets and for the ends of the topics, and remembers the answers. One that does not answer makes the whole reading fail, with
// nothing remembered. moved are the groups that committed something since the last reading.
func (v *clusterView) read(ctx context.Context, topics []string, now time.Time) (moved map[string]bool, err error) {
	committed, marks := map[string]rocketmq.Offsets{}, map[string][]byte{}
	ends := map[string]topicEnds{}
	var mu sync.Mutex
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(maxCalls)
	for _, master := range v.masters {
		calls.Go(func() error {
			offsets, mark, err := v.admin.AllOffsetsSince(ctx, master.Addr, v.committed[master.Name], v.marks[master.Name])
			mu.Lock()
			defer mu.Unlock()
			committed[master.Name], marks[master.Name] = offsets, mark
			return err
		})
		for _, topic := range topics {
			calls.Go(func() error {
				stats, err := v.admin.TopicStats(ctx, master.Addr, topic)
				if isNotFound(err) {
					return nil // a topic need not be on every broker
				}
				mu.Lock()
				defer mu.Unlock()
				if ends[topic] == nil {
					ends[topic] = topicEnds{}
				}
				maps.Copy(ends[topic], stats.Queues)
				return err
			})
		}
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	for _, topic := range topics {
		v.topics[topic] = &topicView{now, ends[topic]}
	}
	return v.keep(committed, marks), nil
}

// keep remembers offsets, where they are not those of before, and returns the groups that moved. What a lost broker said is forgotten.
func (v *clusterView) keep(committed map[string]rocketmq.Offsets, marks map[string][]byte) map[string]bool {
	moved := map[string]bool{}
	for broker, offsets := range committed {
		before, known := v.committed[broker]
		if offsets == nil {
			committed[broker] = before
			continue
		}
		for of, queues := range offsets {
			if known && !maps.Equal(queues, before[of]) {
				moved[of.Group] = true
			}
		}
	}
	v.committed, v.marks = committed, marks
	return moved
}

// positions is where the target's group stands in its topic and its retry topic.
func (v *clusterView) positions(t Target, topics ...topicEnds) map[rocketmq.Queue]Position {
	positions := map[rocketmq.Queue]Position{}
	for _, ends := range topics {
		for q, end := range ends {
			p := Position{Min: end.Min, Max: end.Max, Newest: end.LastUpdated, Committed: -1}
			if committed, ok := v.committed[q.Broker][rocketmq.GroupTopic{Group: t.Group, Topic: q.Topic}][q.ID]; ok {
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
