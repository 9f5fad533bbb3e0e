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
	// unanswered is for how long no pass may succeed until what was seen before is old, also when brokers answer again.
	unanswered = 5 * time.Second
	// surveyInterval is how long the list of master brokers is used, unless a call fails.
	surveyInterval = 30 * time.Second
	// groupTopicInterval lies between two looks at a group's own topics, for retries and dead letters; quietInterval where the group has not moved for
	// quietAfter, if there is time.
	groupTopicInterval = 5 * time.Second
	quietInterval      = 30 * time.Second
	quietAfter         = time.Minute
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
	// Leaving says that the group goes when none of its messages waits.
	Leaving bool
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
	clusters  map[string]*clusterView // of Look alone, by physical cluster

	mu     sync.Mutex
	groups map[types.NamespacedName]*groupView
}

// groupView is what is remembered of a group.
type groupView struct {
	history     History
	asked       time.Time // of the last pass
	since       time.Time // of the first pass of those since which brokers answer
	ownTopics   time.Time // of the last look at these two
	active      time.Time // when something last moved or waited
	retry       topicEnds
	deadLetters int64
	waiting     watch // of the topic and the retry topic
	dead        watch // of the dead letters
}

// NewSampler returns a Sampler that knows nothing yet.
func NewSampler(connector *topology.Connector, logger *slog.Logger) *Sampler {
	return &Sampler{
		Now: time.Now, connector: connector, logger: logger,
		clusters: map[string]*clusterView{}, groups: map[types.NamespacedName]*groupView{},
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
	signals.Asked, signals.Since, signals.Retries, signals.DeadLetters = view.asked, view.since, view.ownTopics, view.deadLetters
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

// Look looks once at all targets, as far as the calls of a pass go round (see plan), and forgets every group that is not among them. Groups of a cluster that does not
// answer are not looked at. It returns the groups that were, and whether any of their messages wait or move; and the MQClusters whose brokers have fallen silent, or answer
// again.
func (s *Sampler) Look(ctx context.Context, targets []Target) (looked map[types.NamespacedName]bool, turned []*v1alpha1.MQCluster) {
	s.divide(targets)
	s.forget(targets)
	looked = map[types.NamespacedName]bool{}
	var mu sync.Mutex // of looked and turned
	var looks sync.WaitGroup
	for _, view := range s.clusters {
		looks.Go(func() {
			seen, err := s.lookAt(ctx, view)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(looked, seen)
			turned = append(turned, s.ended(ctx, view, err)...)
		})
	}
	looks.Wait()
	return looked, turned
}

// ended takes in how a pass over a cluster ended, and returns its MQClusters if by that its brokers fell silent, or are not any more. Of passes in a row that fail the first
// is logged: an outage may last for days.
func (s *Sampler) ended(ctx context.Context, view *clusterView, err error) []*v1alpha1.MQCluster {
	if ctx.Err() != nil {
		return nil
	}
	now, cluster := s.Now(), client.ObjectKeyFromObject(view.targets[0].Cluster)
	switch {
	case err != nil && !view.failing:
		s.logger.WarnContext(ctx, "cannot read offsets", "cluster", cluster, "error", err)
	case err == nil && view.failing:
		s.logger.InfoContext(ctx, "offsets are read again", "cluster", cluster)
	}
	view.failing = err != nil
	if !view.failing || view.heard.IsZero() {
		view.heard = now
	}
	before := view.silent
	if view.silent = now.Sub(view.heard) >= silence; view.silent == before {
		return nil
	}
	return view.meanings()
}

// divide gives the clusters their targets, and forgets those that have none.
func (s *Sampler) divide(targets []Target) {
	for _, view := range s.clusters {
		view.targets = view.targets[:0]
	}
	for _, t := range targets {
		key := physical(t.Cluster)
		view := s.clusters[key]
		if view == nil {
			view = &clusterView{topics: map[string]*topicView{}, firsts: firstLooks}
			s.clusters[key] = view
		}
		view.targets = append(view.targets, t)
	}
	maps.DeleteFunc(s.clusters, func(_ string, view *clusterView) bool { return len(view.targets) == 0 })
}

// physical names what is asked once for all MQClusters that mean it; one with access control has a key of its own, which may see less than others'.
func physical(cluster *v1alpha1.MQCluster) string {
	if cluster.Status.Identity == "" || cluster.Spec.ACL != nil {
		return client.ObjectKeyFromObject(cluster).String()
	}
	return cluster.Status.Identity
}

func (s *Sampler) forget(targets []Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := 0
	for _, t := range targets {
		if s.groups[t.Name] != nil {
			known++
		}
	}
	if known == len(s.groups) { // as nearly always
		return
	}
	wanted := make(map[types.NamespacedName]bool, len(targets))
	for _, t := range targets {
		wanted[t.Name] = true
	}
	maps.DeleteFunc(s.groups, func(name types.NamespacedName, _ *groupView) bool { return !wanted[name] })
}

// lookAt looks at the groups of one cluster.
func (s *Sampler) lookAt(ctx context.Context, view *clusterView) (map[types.NamespacedName]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	now := s.Now()
	if err := view.survey(ctx, s.connector, view.targets[0].Cluster, now); err != nil {
		return nil, err
	}
	topics, own := s.plan(view, now)
	moved, err := view.read(ctx, topics, now)
	if err != nil {
		view.firsts /= 2
		view.surveyed = time.Time{} // the brokers may have moved
		return nil, err
	}
	view.firsts = min(2*view.firsts+1, firstLooks)
	looked, open := s.take(view, own, moved, now)
	answers := view.ask(ctx, open)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range answers {
		a.track.answered(now, a.offset, a.stored)
	}
	return looked, nil
}

// take takes in what was read, and returns the groups that were looked at, whether messages wait or move there, and what is still open. own are the groups whose own topics were
// read, and moved those that committed something.
func (s *Sampler) take(view *clusterView, own, moved map[string]bool, now time.Time) (looked map[types.NamespacedName]bool, open []question) {
	looked = map[types.NamespacedName]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range view.targets {
		group := s.group(t.Name)
		if now.Sub(group.asked) >= unanswered {
			group.since = now
		}
		group.asked = now
		if own[t.Group] {
			group.takeOwn(view, t, now)
		}
		if moved[t.Group] {
			group.active = now
		}
		if topic := view.topics[t.Topic]; topic != nil && topic.read.Equal(now) {
			look := Look{Time: now, Queues: view.positions(t, topic.ends, group.retry), Pods: t.Pods}
			busy := group.look(look)
			looked[t.Name] = busy || moved[t.Group]
			group.waiting.add(now, look.Queues, t.Consuming)
		}
		open = append(open, group.waiting.questions(now)...)
		open = append(open, group.dead.questions(now)...)
	}
	return looked, open
}

// takeOwn takes in what was read of the group's own topics, if it was.
func (g *groupView) takeOwn(view *clusterView, t Target, now time.Time) {
	retry, dead := rocketmq.RetryTopic(t.Group), rocketmq.DeadLetterTopic(t.Group)
	own := view.topics[retry]
	if own == nil || !own.read.Equal(now) {
		return
	}
	letters := view.topics[dead].ends
	g.ownTopics, g.retry, g.deadLetters = now, own.ends, letters.content()
	g.dead.add(now, t.letters(letters), false)
	delete(view.topics, retry) // the group has it
	delete(view.topics, dead)
}

// look takes a look in, and reports whether messages wait or move.
func (g *groupView) look(l Look) bool {
	before := g.history.last.Queues
	g.history.Add(l)
	busy := waiting(l.Queues) > 0
	if arrived, handled := difference(before, l.Queues); arrived+handled > 0 {
		busy = true
	}
	if busy {
		g.active = l.Time
	}
	return busy
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
