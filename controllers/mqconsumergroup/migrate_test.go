// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestMembersOfAGroupThatIsMigratedWantTheSame(t *testing.T) {
	tags := func(expression string) rocketmq.Subscription {
		return rocketmq.Subscription{Topic: "Orders", Type: rocketmq.TypeTag, Expression: expression}
	}
	for sentence, c := range map[string]struct {
		theirs rocketmq.Subscription
		model  string
		says   string // "": they agree
	}{
		"the same tags, written otherwise": {tags("refunded||paid"), "CLUSTERING", ""},
		"fewer tags":                       {tags("paid"), "CLUSTERING", `subscribe to "paid" (TAG), this object to "paid||refunded" (TAG)`},
		"everything":                       {tags("*"), "CLUSTERING", `subscribe to "*" (TAG)`},
		"a condition":                      {rocketmq.Subscription{Topic: "Orders", Type: rocketmq.TypeSQL92, Expression: "paid||refunded"}, "CLUSTERING", "(SQL92), this object"},
		"another topic":                    {rocketmq.Subscription{Topic: "Other"}, "CLUSTERING", "do not subscribe to topic Orders"},
		"every message for each":           {tags("paid||refunded"), "BROADCASTING", "consume as BROADCASTING"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			seen.group.Spec.AdoptionPolicy = v1alpha1.AdoptionMigrate
			seen.broker.members = []string{"10.0.0.1@1"}
			seen.broker.agreed = map[string]*rocketmq.Connections{"broker-b": {Model: c.model, Subscriptions: map[string]rocketmq.Subscription{c.theirs.Topic: c.theirs}}}
			got := check(seen)
			if got.IsDone() != (c.says == "") || !strings.Contains(got.Message, c.says) {
				t.Errorf("got %+v, want it to say %q", got, c.says)
			}
			seen.broker.members = nil
			if got := check(seen); !got.IsDone() {
				t.Errorf("nobody else is there, and yet %+v", got)
			}
		})
	}
}
