// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestAHandlerHasTheMemberOfItsTypeAndNoOther(t *testing.T) {
	push := &worker.PushHandler{Adapter: "sms"}
	credit := &worker.CreditHandler{Adapter: "sms"}
	warehouse := &worker.WarehouseHandler{Steps: []worker.WarehouseStep{{Adapter: "sms"}}}
	for name, c := range map[string]struct {
		handler worker.Handler
		want    string
	}{
		"its member is given":             {worker.Handler{Type: worker.HandlerPush, Push: push}, ""},
		"another's is given in its stead": {worker.Handler{Type: worker.HandlerPush, Warehouse: warehouse}, `handler is of type "Push", but what such a handler does is not given`},
		"another's is given too":          {worker.Handler{Type: worker.HandlerCredit, Push: push, Credit: credit}, `handler is of type "Credit", but something is given for type "Push"`},
		"nothing is given":                {worker.Handler{Type: worker.HandlerHTTP}, `handler is of type "HTTP", but what such a handler does is not given`},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(worker.Structure{
				Version: worker.Version, Namespace: "shop", Name: "push", NameServers: []string{"mq:9876"}, Group: "g", Topic: "t", TagExpression: "*",
				Mode: worker.ModePush, MaxUncommitted: 1, Concurrency: 1, TerminationGrace: worker.Duration(time.Second),
				Retry: worker.Retry{MaxAttempts: 1, MaxDuration: worker.Duration(time.Second)}, Handler: c.handler,
				Adapters: []worker.Adapter{{Name: "sms", URL: "https://sms.example", Idempotency: worker.Idempotency{Header: "K"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = worker.DecodeStructure(data)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
}
