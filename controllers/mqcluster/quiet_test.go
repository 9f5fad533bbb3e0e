// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"testing"

	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestAClusterThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	for sentence, nameServer := range map[string]string{"ready": fake.Start(t, fake.Config{Brokers: 2}).NameServer(), "out of reach": "127.0.0.1:1"} {
		t.Run(sentence, func(t *testing.T) {
			s := suite.New(t)
			cluster := s.Cluster(nameServer)
			s.Create(t, cluster)
			reconcile(t, s, cluster)
			s.Quiet(t, cluster, func() { reconcile(t, s, cluster) })
		})
	}
}
