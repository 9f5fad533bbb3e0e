// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"testing"

	"github.com/orderflow-dev/orderflow/internal/rocketmq/conformance"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) { broker.Main(m) }

func TestRealBroker(t *testing.T) {
	conformance.Run(t, func(t *testing.T) string { return broker.Shared(t).NameServer() })
}
