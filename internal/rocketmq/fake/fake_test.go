// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/internal/rocketmq/conformance"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) string { return fake.Start(t, fake.Config{}).NameServer() })
}
