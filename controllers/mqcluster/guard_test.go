// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"context"
	"net"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// TestARouteThatLeadsHereIsNotFollowed has a name server that is trusted, and says that the broker is at an address of this machine.
func TestARouteThatLeadsHereIsNotFollowed(t *testing.T) {
	s := suite.New(t)
	mq := fake.Start(t, fake.Config{})
	guarded := dial.Broker()
	s.Connector.Client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == mq.NameServer() {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		return guarded(ctx, network, addr)
	}
	cluster := s.Cluster(mq.NameServer())
	s.Create(t, cluster)
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBrokerUnreachable,
		"broker-a", "the address 127.0.0.1 is this machine's own", "set brokerIP1 in the broker's configuration to an address that pods can reach")
	for _, call := range mq.Calls(0) {
		if call.Host != "namesrv" {
			t.Errorf("%s was asked for %v", call.Host, call.Op)
		}
	}
}
