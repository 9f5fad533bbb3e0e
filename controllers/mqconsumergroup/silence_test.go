// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestABrokerThatFallsSilentIsGivenUp(t *testing.T) {
	ours := func(seen *inputs) { seen.group.Status.ClusterIdentity = seen.cluster.Status.Identity }
	declares := func(ctx context.Context, seen *inputs) result.Result {
		done := steps{claimed: seen.group.Status.ClusterIdentity}
		ensureGroup(ctx, seen, time.Now(), &done)
		return result.Worst(done.results()...)
	}
	for sentence, test := range map[string]struct {
		op     rocketmq.Op
		before func(*inputs)
		does   func(context.Context, *inputs) result.Result
	}{
		"while the group is claimed":  {rocketmq.OpAllGroups, func(*inputs) {}, declares},
		"while the group is declared": {rocketmq.OpPutGroup, ours, declares},
		"while offsets are set":       {rocketmq.OpCommitOffset, ours, declares},
		"while the group is deleted": {rocketmq.OpDeleteGroup, ours, func(ctx context.Context, seen *inputs) result.Result {
			return deleteGroup(ctx, seen.broker, seen.group.Spec.Group)
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := onFake(t, fake.Fault{Op: test.op, Hang: true})
				test.before(seen)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				if got := test.does(ctx, seen); got.State != result.Unknown {
					t.Errorf("it ended in state %d: %s", got.State, got.Message)
				}
				if took := time.Since(began); took > brokerTimeout {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestThePulseHasAClusterLookedAtWhoseBrokersFellSilent(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.reconcile()
	w.must(err)
	w.beat()
	w.mq.Inject(fake.Fault{Host: "broker-b", Cut: true})
	w.beat()
	w.later += 15 * time.Second
	w.show()

	turned := make(chan event.TypedGenericEvent[*v1alpha1.MQCluster])
	w.pulse.Turned = turned
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.pulse.Start(ctx) }()
	select {
	case e := <-turned:
		if e.Object.UID != w.cluster.UID {
			t.Errorf("%s is to be looked at, want %s", e.Object.Name, w.cluster.Name)
		}
	case <-ctx.Done():
		t.Error("no cluster is to be looked at within a minute")
	}
	cancel()
	w.must(<-ended)
}

// onFake is all there is to know of a group that can begin on a broker in memory, which the fault befalls.
func onFake(t *testing.T, fault fake.Fault) *inputs {
	mq := fake.StartInMemory(t, fake.Config{})
	c := rocketmq.NewClient(rocketmq.Config{DialContext: mq.DialContext})
	t.Cleanup(c.Close)
	names, err := rocketmq.NewCluster(c, []string{mq.NameServer()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen, b := ready(), mq.Broker()
	if err := c.PutTopic(t.Context(), b.Addr(), rocketmq.TopicConfig{Name: "Orders", ReadQueues: 1, WriteQueues: 1, Perm: rocketmq.PermRead | rocketmq.PermWrite}); err != nil {
		t.Fatal(err)
	}
	stats, err := c.TopicStats(t.Context(), b.Addr(), "Orders")
	if err != nil {
		t.Fatal(err)
	}
	seen.group.Spec.Consume.StartFrom = v1alpha1.StartFrom{Position: v1alpha1.StartEarliest}
	seen.broker = brokerFacts{
		admin:   &topology.Admin{Client: c, Cluster: names},
		masters: []topology.Master{{Name: b.Name(), Addr: b.Addr()}},
		topic:   map[string]rocketmq.TopicStats{b.Name(): stats},
	}
	mq.Inject(fault)
	return seen
}
