// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

const (
	// lookTimeout bounds the look at one cluster: what a broker does not say by then is not known.
	lookTimeout = 3 * time.Second
	// surveyInterval is how long the list of master brokers is used, unless a call fails.
	surveyInterval = 30 * time.Second
	// groupTopicInterval lies between two looks at a group's own topics, for retries and dead letters.
	groupTopicInterval = 5 * time.Second
)

// Target is a group to be looked at.
type Target struct {
	// Name of the MQConsumerGroup.
	Name types.NamespacedName
	// Cluster it consumes from.
	Cluster *v1alpha1.MQCluster
	// Group and Topic on the brokers.
	Group, Topic string
	// Pods as they are now.
	Pods Pods
	// Consuming says that pods hand messages out: there are some, and they are not parked for more than a moment.
	Consuming bool
	// Replayed are the ends of what replays have gone through of the group's dead letters.
	Replayed map[rocketmq.Queue]int64
}

// Sampler looks at all groups and remembers what it saw. Its methods may be called by many goroutines, but one Look at a time.
type Sampler struct {
	// Now is the clock; NewSampler's is the machine's.
	Now func() time.Time

	connector *topology.Connector
	logger    *slog.Logger
	clusters  map[types.NamespacedName]*clusterView // of Look alone

	mu     sync.Mutex
	groups map[types.NamespacedName]*groupView
}

// groupView is what is remembered of a group.
type groupView struct {
	history     History
	ownTopics   time.Time // of the last look at these two
	retry       topicEnds
	deadLetters int64
	waiting     watch // of the topic and the retry topic
	dead        watch // of the dead letters
}

// NewSampler returns a Sampler that knows nothing yet.
func NewSampler(connector *topology.Connector, logger *slog.Logger) *Sampler {
	return &Sampler{
		Now: time.Now, connector: connector, logger: logger,
		clusters: map[types.NamespacedName]*clusterView{}, groups: map[types.NamespacedName]*groupView{},
	}
}

// Signals of a group at its last look; the zero value if there was none.
func (s *Sampler) Signals(name types.NamespacedName) Signals {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.groups[name]
	if view == nil {
		return Signals{DeadLetters: -1}
	}
	signals := view.history.Signals()
	signals.DeadLetters = view.deadLetters
	return signals
}

// Lost are the offsets of queues in which the group had one and has none any more: where it stood, and when that was last seen.
func (s *Sampler) Lost(name types.NamespacedName) map[rocketmq.Queue]Committed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if view := s.groups[name]; view != nil {
		return maps.Clone(view.history.lost)
	}
	return nil
}

// Heads are the first messages that wait in the queues of a group's topic, its retry topic and its dead-letter topic, as the last look saw them.
func (s *Sampler) Heads(name types.NamespacedName) []Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.groups[name]
	if view == nil {
		return nil
	}
	return append(view.waiting.heads(), view.dead.heads()...)
}

// Look looks once at all targets, and forgets every group that is not among them. Groups of a cluster that does not answer are not looked at.
func (s *Sampler) Look(ctx context.Context, targets []Target) {
	byCluster := map[types.NamespacedName][]Target{}
	for _, t := range targets {
		key := client.ObjectKeyFromObject(t.Cluster)
		byCluster[key] = append(byCluster[key], t)
	}
	s.forget(targets, byCluster)
	var looks sync.WaitGroup
	for key, targets := range byCluster {
		view := s.clusters[key]
		if view == nil {
			view = &clusterView{}
			s.clusters[key] = view
		}
		looks.Go(func() {
			if err := s.lookAt(ctx, view, targets); err != nil {
				s.logger.WarnContext(ctx, "cannot read offsets", "cluster", key, "error", err)
			}
		})
	}
	looks.Wait()
}

func (s *Sampler) forget(targets []Target, byCluster map[types.NamespacedName][]Target) {
	maps.DeleteFunc(s.clusters, func(key types.NamespacedName, _ *clusterView) bool { return byCluster[key] == nil })
	wanted := map[types.NamespacedName]bool{}
	for _, t := range targets {
		wanted[t.Name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.groups, func(name types.NamespacedName, _ *groupView) bool { return !wanted[name] })
}

// lookAt looks at the groups of one cluster.
func (s *Sampler) lookAt(ctx context.Context, view *clusterView, targets []Target) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	now := s.Now()
	if err := view.survey(ctx, s.connector, targets[0].Cluster, now); err != nil {
		return err
	}
	due := s.due(targets, now)
	topics := map[string]bool{}
	for _, t := range targets {
		topics[t.Topic] = true
	}
	for _, t := range due {
		topics[rocketmq.RetryTopic(t.Group)], topics[rocketmq.DeadLetterTopic(t.Group)] = true, true
	}
	seen, err := view.read(ctx, topics)
	if err != nil {
		view.surveyed = time.Time{} // the brokers may have moved
		return err
	}
	answers := view.ask(ctx, s.take(now, seen, targets, due))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range answers {
		a.track.answered(now, a.offset, a.stored)
	}
	return nil
}

// take takes in what was read, and returns what is still open.
func (s *Sampler) take(now time.Time, seen reading, targets, due []Target) (open []question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range due {
		group := s.group(t.Name)
		letters := seen.ends[rocketmq.DeadLetterTopic(t.Group)]
		group.ownTopics, group.retry = now, seen.ends[rocketmq.RetryTopic(t.Group)]
		group.deadLetters = letters.content()
		group.dead.add(now, t.letters(letters), false)
	}
	for _, t := range targets {
		group := s.group(t.Name)
		positions := seen.positions(t, seen.ends[t.Topic], group.retry)
		group.history.Add(Look{Time: now, Queues: positions, Pods: t.Pods})
		group.waiting.add(now, positions, t.Consuming)
		open = append(open, group.waiting.questions(now)...)
		open = append(open, group.dead.questions(now)...)
	}
	return open
}

// due are the targets whose own topics have to be looked at again.
func (s *Sampler) due(targets []Target, now time.Time) (due []Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range targets {
		if now.Sub(s.group(t.Name).ownTopics) >= groupTopicInterval {
			due = append(due, t)
		}
	}
	return due
}

// group is the view of a group, made if need be; the lock is held.
func (s *Sampler) group(name types.NamespacedName) *groupView {
	view := s.groups[name]
	if view == nil {
		view = &groupView{deadLetters: -1}
		s.groups[name] = view
	}
	return view
}
