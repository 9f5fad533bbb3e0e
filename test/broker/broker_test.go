// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"regexp"
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

func TestMain(m *testing.M) { Main(m) }

func TestSharedIsOneRocketMQForAllTestsOfABinary(t *testing.T) {
	first, second := Shared(t), Shared(t)
	if first.NameServer() != second.NameServer() {
		t.Errorf("two calls returned two name servers: %s and %s", first.NameServer(), second.NameServer())
	}
	wantCluster(t, first)
}

func TestARunningRocketMQIsUsedByItsAddress(t *testing.T) {
	wantCluster(t, running{Shared(t).NameServer()})
}

func wantCluster(t *testing.T, mq RocketMQ) {
	t.Helper()
	if _, err := rocketmq.AdminUntil(func() (string, error) { return mq.Admin(t.Context(), "clusterList") }, rocketmq.ClusterName); err != nil {
		t.Error(err)
	}
}

func TestOwnIsAnotherRocketMQThanTheSharedOne(t *testing.T) {
	own := Own(t, rocketmq.Options{})
	if own.NameServer() == Shared(t).NameServer() {
		t.Errorf("the test's own name server is the shared one, %s", own.NameServer())
	}
}

func TestNamesAreUniqueAndTheBrokerTakesThem(t *testing.T) {
	valid := regexp.MustCompile(`^Orders_[A-Za-z0-9_-]{1,113}$`) // with %RETRY% at most 127
	for _, test := range []string{"short", "with / and ü", strings.Repeat("long", 60)} {
		t.Run(test, func(t *testing.T) {
			a, b := Name(t, "Orders"), Name(t, "Orders")
			if a == b {
				t.Errorf("two calls returned the same name %s", a)
			}
			if !valid.MatchString(a) {
				t.Errorf("%q is no name for a topic and a group", a)
			}
		})
	}
}
