// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"context"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"golang.org/x/sync/errgroup"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// period between passes, and between two calls of a group that is busy.
	period = 2 * time.Second
	// maxCalls in flight at once.
	maxCalls = 32
)

// Group is what the Syncer has to know of a group.
type Group struct {
	// ServerName in the pods' certificate.
	ServerName string
	// Credentials of the group's Secret; the private key is not needed.
	Credentials Credentials
	// Live is what the pods should run with.
	Live worker.Live
	// Unwatched says that no broker tells whether messages wait for the group or move: nobody calls Soon when they do.
	Unwatched bool
}

// Report is what came of the last call of a pod.
type Report struct {
	// Pod's name.
	Pod string
	// Time of the call.
	Time time.Time
	// Answer of the pod, where Err is nil.
	Answer worker.SyncResponse
	// Err says why there is no answer.
	Err error
	// Probers are the pods that look for the return of third parties that are down for all, by adapter. Where there is none each pod goes by itself.
	Probers map[string]Prober
}

// Config of a Syncer.
type Config struct {
	// Pods lists the pods of a group, whatever their state.
	Pods func(ctx context.Context, group types.NamespacedName) ([]corev1.Pod, error)
	// Logger for what goes wrong. Calls that fail are in the reports, not in the log.
	Logger *slog.Logger
	// Port the pods serve at. 0: worker.SyncPort.
	Port int
	// Dial connects to pods; nil is a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Syncer asks all pods of all groups, again and again. Its methods may be called by many goroutines.
type Syncer struct {
	cfg Config

	// outages are the third parties that are down for all, by namespace and adapter. They are the pass's.
	outages map[types.NamespacedName]*outage

	mu     sync.Mutex
	groups map[types.NamespacedName]*state
	began  time.Time
}

type state struct {
	group Group
	// client is nil while nothing is to be asked: most groups are idle, and thousands of open connections are no small thing.
	client  *groupClient
	reports []Report
	// passed says that a pass was made over the group.
	passed bool
	// due is when the pods are asked again; the zero time is the next pass.
	due time.Time
}

// hangUp gives up the connections, until the pods are asked again.
func (s *state) hangUp() {
	if s.client != nil {
		s.client.close()
		s.client = nil
	}
}

// New returns a Syncer that knows no group yet.
func New(cfg Config) *Syncer {
	if cfg.Port == 0 {
		cfg.Port = worker.SyncPort
	}
	return &Syncer{cfg: cfg, groups: map[types.NamespacedName]*state{}}
}

// Expect says what pods of a group should be asked and told, from the next pass on.
func (s *Syncer) Expect(name types.NamespacedName, group Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.groups[name]
	if known == nil {
		known = &state{}
		s.groups[name] = known
	}
	if !reflect.DeepEqual(known.group.Credentials, group.Credentials) || known.group.ServerName != group.ServerName {
		known.hangUp()
		known.due = time.Time{}
	}
	if known.group.Live.Revision != group.Live.Revision {
		known.due = time.Time{}
	}
	known.group = group
}

// Credentials of a group, as they are expected; the zero value if none are.
func (s *Syncer) Credentials(name types.NamespacedName) Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.groups[name]; known != nil {
		return known.group.Credentials
	}
	return Credentials{}
}

// Soon has the pods of a group asked at the next pass: something is known to have changed.
func (s *Syncer) Soon(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.groups[name]; known != nil {
		known.due = time.Time{}
	}
}

// Forget drops a group that is gone.
func (s *Syncer) Forget(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.groups[name]; known != nil {
		known.hangUp()
		delete(s.groups, name)
	}
}

// Reports of the last pass over a group, by pod name. Empty: there was no pod, or no pass. They are not to be changed.
func (s *Syncer) Reports(name types.NamespacedName) []Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.groups[name]; known != nil {
		return known.reports
	}
	return nil
}

// NeedLeaderElection keeps two operators from telling pods different things.
func (s *Syncer) NeedLeaderElection() bool { return true }

// Start passes over the groups that are due until ctx ends.
func (s *Syncer) Start(ctx context.Context) error {
	s.begin(time.Now())
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		s.pass(ctx, s.names(time.Now()))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Pass asks every pod of every group once, and tells them of each other. One pass is made at a time.
func (s *Syncer) Pass(ctx context.Context) {
	s.pass(ctx, s.names(time.Unix(1<<40, 0))) // all are due by then
}

func (s *Syncer) pass(ctx context.Context, names []types.NamespacedName) {
	var calls []*call
	names = slices.DeleteFunc(names, func(name types.NamespacedName) bool {
		pods, err := s.cfg.Pods(ctx, name)
		if err != nil {
			s.cfg.Logger.WarnContext(ctx, "cannot list the pods of a group to sync with", "group", name, "error", err)
			return true
		}
		calls = append(calls, s.callsOf(name, pods)...)
		return false
	})
	s.ask(ctx, calls)
	s.spread(ctx, calls)
	reports := map[types.NamespacedName][]Report{}
	for _, c := range calls {
		reports[c.pod.Group] = append(reports[c.pod.Group], c.report)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if known := s.groups[name]; known != nil {
			known.heard(reports[name])
		}
	}
	s.alarm()
}

// alarm has all groups asked that call a third party which is not well for one of them: it is judged by all its pods.
func (s *Syncer) alarm() {
	troubled := map[types.NamespacedName]bool{}
	each := func(do func(adapter types.NamespacedName, group *state, seen worker.AdapterReport)) {
		for name, known := range s.groups {
			for _, r := range known.reports {
				for _, a := range r.Answer.Adapters {
					do(types.NamespacedName{Namespace: name.Namespace, Name: a.Name}, known, a)
				}
			}
		}
	}
	each(func(adapter types.NamespacedName, _ *state, seen worker.AdapterReport) {
		if !unsuspected(seen) {
			troubled[adapter] = true
		}
	})
	if len(troubled) == 0 {
		return
	}
	each(func(adapter types.NamespacedName, group *state, _ worker.AdapterReport) {
		if troubled[adapter] {
			group.due = time.Time{}
		}
	})
}

// names are the groups that are due at the time.
func (s *Syncer) names(now time.Time) (names []types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, known := range s.groups {
		if !now.Before(known.due) {
			names = append(names, name)
		}
	}
	return names
}

// callsOf are the calls to the pods of a group that can be called.
func (s *Syncer) callsOf(name types.NamespacedName, pods []corev1.Pod) (calls []*call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.groups[name]
	if known == nil {
		return nil
	}
	pods = slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return !callable(&p) })
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	if known.client == nil && len(pods) > 0 {
		known.client = newGroupClient(known.group.ServerName, known.group.Credentials, s.cfg.Dial)
	}
	for _, p := range pods {
		address := net.JoinHostPort(p.Status.PodIP, strconv.Itoa(s.cfg.Port))
		calls = append(calls, &call{pod: Pod{name, p.Name}, client: known.client, live: known.group.Live, address: address})
	}
	return calls
}

// ask makes the calls.
func (s *Syncer) ask(ctx context.Context, calls []*call) {
	var asked errgroup.Group
	asked.SetLimit(maxCalls)
	for _, c := range calls {
		asked.Go(func() error {
			answer, err := c.client.sync(ctx, c.address, c.live)
			c.report = Report{Pod: c.pod.Name, Time: time.Now(), Answer: answer, Err: err}
			return nil
		})
	}
	_ = asked.Wait() // the calls' errors are in the reports
}

// callable reports whether the pod has an address and a process that may answer. A pod that is being deleted still handles messages.
func callable(p *corev1.Pod) bool {
	return p.Status.PodIP != "" && p.Status.Phase == corev1.PodRunning
}
