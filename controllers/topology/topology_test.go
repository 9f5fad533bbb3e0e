// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnIdentityOutlivesBrokersThatMove(t *testing.T) {
	cluster := func(name string, addrs ...string) Cluster {
		c := Cluster{Name: name}
		for i, addr := range addrs {
			c.Masters = append(c.Masters, Master{Name: "broker-" + string(rune('a'+i)), Addr: addr})
		}
		return c
	}
	first := cluster("orders", "10.0.0.1:1", "10.0.0.2:1")
	for sentence, test := range map[string]struct {
		edited, unseen bool
		then           Cluster
		same           bool
	}{
		"nothing changed":                                 {then: first, same: true},
		"the order of the brokers changed":                {then: cluster("orders", "10.0.0.2:1", "10.0.0.1:1"), same: true},
		"a broker was added":                              {then: cluster("orders", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"), same: true},
		"every broker moved":                              {then: cluster("orders", "10.0.9.1:1", "10.0.9.2:1"), same: true},
		"every broker moved and the cluster is another":   {then: cluster("shipping", "10.0.9.1:1")},
		"spec was edited and a broker is still there":     {edited: true, then: cluster("orders", "10.0.0.2:1", "10.0.9.2:1"), same: true},
		"spec was edited and leads to others":             {edited: true, then: cluster("orders", "10.0.9.1:1")},
		"spec was edited, and its brokers come up later":  {unseen: true, then: cluster("orders", "10.0.9.1:1")},
		"spec was edited, and the same brokers come back": {unseen: true, then: cluster("orders", "10.0.0.1:1", "10.0.0.2:1"), same: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			mq := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
			mq.Status = v1alpha1.MQClusterStatus{
				Identity: Identify(&v1alpha1.MQCluster{}, first), ClusterName: first.Name, Brokers: first.brokers(), ObservedGeneration: 1,
			}
			before := mq.Status.Identity
			if test.edited {
				mq.Generation = 2
			}
			if test.unseen {
				mq.Generation, mq.Status.ObservedGeneration, mq.Status.Brokers = 2, 2, nil
			}
			if got := Identify(mq, test.then); (got == before) != test.same {
				t.Errorf("the identity went from %s to %s", before, got)
			}
		})
	}
}

func TestTwoMQClustersWithABrokerInCommonAreOneCluster(t *testing.T) {
	status := func(identity, name string, addrs ...string) v1alpha1.MQClusterStatus {
		s := v1alpha1.MQClusterStatus{Identity: identity, ClusterName: name}
		for _, addr := range addrs {
			s.Brokers = append(s.Brokers, v1alpha1.BrokerStatus{Address: addr})
		}
		return s
	}
	for _, test := range []struct {
		a, b v1alpha1.MQClusterStatus
		want bool
	}{
		{status("x", "orders", "10.0.0.1:1"), status("x", "orders"), true},
		{status("x", "orders", "10.0.0.1:1", "10.0.0.2:1"), status("y", "orders", "10.0.0.2:1"), true},
		{status("x", "orders", "10.0.0.1:1"), status("y", "shipping", "10.0.0.1:1"), false},
		{status("x", "orders", "10.0.0.1:1"), status("y", "orders", "10.0.0.9:1"), false},
		{status("", "", "10.0.0.1:1"), status("", ""), false},
	} {
		if SameCluster(test.a, test.b) != test.want || SameCluster(test.b, test.a) != test.want {
			t.Errorf("%+v and %+v: want %t both ways", test.a, test.b, test.want)
		}
	}
}

func TestASurveyNeedsOneClusterWithAMaster(t *testing.T) {
	master := func(cluster, addr string) rocketmq.Broker {
		return rocketmq.Broker{Name: cluster + "-a", Cluster: cluster, Addrs: map[int64]string{0: addr}}
	}
	slave := rocketmq.Broker{Name: "orders-b", Cluster: "orders", Addrs: map[int64]string{1: "10.0.0.2:1"}}
	for sentence, test := range map[string]struct {
		info    rocketmq.ClusterInfo
		state   result.State
		reason  string
		message string
		// masterless: orders-b is known by its slave alone.
		masterless bool
	}{
		"one cluster": {
			masterless: true,
			info:       rocketmq.ClusterInfo{Brokers: map[string]rocketmq.Broker{"a": master("orders", "10.0.0.1:1"), "orders-b": slave}, Clusters: map[string][]string{"orders": {"a", "b"}}},
		},
		"no broker at all": {state: result.Waiting, reason: v1alpha1.ReasonNoMaster, message: "know no master broker"},
		"slaves alone": {
			info:  rocketmq.ClusterInfo{Brokers: map[string]rocketmq.Broker{"b": slave}, Clusters: map[string][]string{"orders": {"b"}}},
			state: result.Waiting, reason: v1alpha1.ReasonNoMaster, message: "brokerId 0",
		},
		"several clusters": {
			info: rocketmq.ClusterInfo{
				Brokers:  map[string]rocketmq.Broker{"a": master("orders", "10.0.0.1:1"), "c": master("shipping", "10.0.0.3:1")},
				Clusters: map[string][]string{"orders": {"a"}, "shipping": {"c"}},
			},
			state: result.Stalled, reason: v1alpha1.ReasonSeveralClusters, message: "2 RocketMQ clusters (orders, shipping)",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, r := interpret(test.info)
			if r.State != test.state || r.Reason != test.reason || !strings.Contains(r.Message, test.message) {
				t.Errorf("the result is %+v", r)
			}
			if test.masterless != (len(got.Masterless) == 1 && got.Masterless[0] == "orders-b") {
				t.Errorf("without a master are %v", got.Masterless)
			}
			if r.IsDone() && (got.Name != "orders" || len(got.Masters) != 1 || got.Masters[0].Addr != "10.0.0.1:1") {
				t.Errorf("the cluster is %+v", got)
			}
		})
	}
}

func TestOneAdminServesAnMQClusterUntilItsNameServersChange(t *testing.T) {
	one, two := fake.Start(t, fake.Config{}), fake.Start(t, fake.Config{})
	connector := &Connector{}
	t.Cleanup(connector.Close)
	cluster := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mq"}}
	connect := func(nameServer string) *Admin {
		t.Helper()
		cluster.Spec.NameServers = []string{nameServer}
		admin, r := connector.Connect(t.Context(), cluster)
		if !r.IsDone() {
			t.Fatal(r.Message)
		}
		if _, r := admin.Survey(t.Context()); !r.IsDone() {
			t.Fatal(r.Message)
		}
		return admin
	}
	first := connect(one.NameServer())
	if again := connect(one.NameServer()); again != first {
		t.Error("the second call made another Admin")
	}
	second := connect(two.NameServer())
	if _, err := first.BrokerRuntime(t.Context(), one.Broker().Addr()); err == nil {
		t.Error("the Admin of the earlier name servers still works: its connections are left open")
	}
	connector.Forget(types.NamespacedName{Namespace: "shop", Name: "mq"})
	if _, err := second.BrokerRuntime(t.Context(), two.Broker().Addr()); err == nil {
		t.Error("the Admin of a forgotten MQCluster still works")
	}
}

func TestWhoeverCannotBeReachedIsToldWhatToDo(t *testing.T) {
	refused := &dial.RefusedError{Addr: netip.MustParseAddr("127.0.0.1"), What: "this machine's own", Advice: "set brokerIP1"}
	for sentence, test := range map[string]struct {
		err  error
		want string
	}{
		"nobody answers":                        {context.DeadlineExceeded, "looking: context deadline exceeded: check that the broker runs"},
		"the address is refused, which is said": {fmt.Errorf("dial: %w", refused), "looking: dial: the address 127.0.0.1 is this machine's own: set brokerIP1"},
	} {
		r := Explain(test.err, "looking")
		if r.Reason != v1alpha1.ReasonBrokerUnreachable || !strings.HasPrefix(r.Message, test.want) || strings.Count(r.Message, "brokerIP1") != 1 {
			t.Errorf("%s: %s", sentence, r.Message)
		}
	}
}

func TestAClusterIsUsableWhenItsStatusSaysSoOfItsSpec(t *testing.T) {
	cluster := func(status metav1.ConditionStatus, observed int64) *v1alpha1.MQCluster {
		mq := &v1alpha1.MQCluster{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
		mq.Status.ObservedGeneration = observed
		mq.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: "Any"}}
		return mq
	}
	for sentence, test := range map[string]struct {
		cluster *v1alpha1.MQCluster
		state   result.State
		reason  string
	}{
		"it does":                         {cluster(metav1.ConditionTrue, 2), result.Done, ""},
		"it speaks of an older spec":      {cluster(metav1.ConditionTrue, 1), result.Unknown, v1alpha1.ReasonClusterNotReady},
		"it cannot be reached":            {cluster(metav1.ConditionFalse, 2), result.Unknown, v1alpha1.ReasonClusterNotReady},
		"there is no cluster of the name": {nil, result.Stalled, v1alpha1.ReasonClusterNotFound},
	} {
		if r := Usable(test.cluster, "mq"); r.State != test.state || r.Reason != test.reason {
			t.Errorf("%s: %+v", sentence, r)
		}
	}
}
