// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

func TestTheOrderKey(t *testing.T) {
	key, err := OrderKey(worker.Structure{OrderKeyExpression: "order.id"})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, test := range map[string]struct{ body, key, failure string }{
		"is the expression's result": {`{"id":"o-1"}`, "o-1", ""},
		"may be empty":               {`{"id":""}`, "", ""},
		"of what is no order is none, and the handler's say": {`o-1`, "", ""},
		"that cannot be told is said with its field":         {`{"number":"Erika"}`, "", "consume.orderKeyExpression"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := key(&rocketmq.Message{Body: []byte(test.body)})
			if got != test.key || (err != nil) != (test.failure != "") {
				t.Fatalf("%q, %v; want %q and the failure %q", got, err, test.key, test.failure)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), test.failure) || strings.Contains(err.Error(), "Erika")) {
				t.Errorf("fails with %q, want the field first and no order", err)
			}
		})
	}
	if key, err := OrderKey(worker.Structure{}); key != nil || err != nil {
		t.Errorf("without an expression: a key %v, %v", key != nil, err)
	}
	if _, err := OrderKey(worker.Structure{OrderKeyExpression: "order.id +"}); err == nil {
		t.Error("an expression that is none is taken")
	}
}
