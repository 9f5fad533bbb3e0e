// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestSteps(t *testing.T) {
	ref := func(name string) v1alpha1.LocalObjectReference { return v1alpha1.LocalObjectReference{Name: name} }
	for name, test := range map[string]struct {
		handler  v1alpha1.Handler
		steps    []v1alpha1.Step
		adapters []string
	}{
		"push has one step":      {v1alpha1.Handler{Push: &v1alpha1.PushHandler{AdapterRef: ref("sms")}}, []v1alpha1.Step{{Field: "handler.push", Adapter: "sms"}}, []string{"sms"}},
		"credit has one step":    {v1alpha1.Handler{Credit: &v1alpha1.CreditHandler{AdapterRef: ref("points")}}, []v1alpha1.Step{{Field: "handler.credit", Adapter: "points"}}, []string{"points"}},
		"marketing has one step": {v1alpha1.Handler{Marketing: &v1alpha1.MarketingHandler{AdapterRef: ref("coupons")}}, []v1alpha1.Step{{Field: "handler.marketing", Adapter: "coupons"}}, []string{"coupons"}},
		"warehouse steps keep their order, adapters are named once": {
			v1alpha1.Handler{Warehouse: &v1alpha1.WarehouseHandler{Steps: []v1alpha1.WarehouseStep{
				{Name: "waybill", AdapterRef: ref("logistics")}, {Name: "pick", AdapterRef: ref("depot")}, {Name: "notify", AdapterRef: ref("logistics")},
			}}},
			[]v1alpha1.Step{{Field: "handler.warehouse.steps[waybill]", Adapter: "logistics"}, {Field: "handler.warehouse.steps[pick]", Adapter: "depot"}, {Field: "handler.warehouse.steps[notify]", Adapter: "logistics"}},
			[]string{"depot", "logistics"},
		},
		"http steps keep their order": {
			v1alpha1.Handler{HTTP: &v1alpha1.HTTPHandler{Steps: []v1alpha1.HTTPStep{{Name: "b", AdapterRef: ref("x")}, {Name: "a", AdapterRef: ref("x")}}}},
			[]v1alpha1.Step{{Field: "handler.http.steps[b]", Adapter: "x"}, {Field: "handler.http.steps[a]", Adapter: "x"}},
			[]string{"x"},
		},
		"a handler without a member has no step": {v1alpha1.Handler{}, nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.steps, test.handler.Steps()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.adapters, test.handler.Adapters()); diff != "" {
				t.Errorf("adapters (-want +got):\n%s", diff)
			}
		})
	}
}
