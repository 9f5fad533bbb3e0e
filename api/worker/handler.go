// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "reflect"

// HandlerType selects the handler; the values are v1alpha1's.
type HandlerType string

// The handlers.
const (
	HandlerPush      HandlerType = "Push"
	HandlerWarehouse HandlerType = "Warehouse"
	HandlerCredit    HandlerType = "Credit"
	HandlerMarketing HandlerType = "Marketing"
	HandlerHTTP      HandlerType = "HTTP"
)

// Handler is a union: the member named by Type is set, the others are nil. Fields that end in Expression hold CEL; Expressions lists them.
type Handler struct {
	Type HandlerType `json:"type"`
	// WhenExpression: a message for which it is false is done without a request. Empty: true.
	WhenExpression string            `json:"whenExpression,omitempty"`
	Push           *PushHandler      `json:"push,omitempty"`
	Warehouse      *WarehouseHandler `json:"warehouse,omitempty"`
	Credit         *CreditHandler    `json:"credit,omitempty"`
	Marketing      *MarketingHandler `json:"marketing,omitempty"`
	HTTP           *HTTPHandler      `json:"http,omitempty"`
}

// member is a member of the union.
type member struct {
	of    HandlerType
	given bool
}

func (h Handler) members() []member {
	return []member{
		{HandlerPush, h.Push != nil}, {HandlerWarehouse, h.Warehouse != nil}, {HandlerCredit, h.Credit != nil},
		{HandlerMarketing, h.Marketing != nil}, {HandlerHTTP, h.HTTP != nil},
	}
}

// PushHandler tells the buyer.
type PushHandler struct {
	Adapter              string `json:"adapter"`
	Path                 string `json:"path,omitempty"`
	TemplateID           string `json:"templateId"`
	ToExpression         string `json:"toExpression"`
	ParametersExpression string `json:"parametersExpression,omitempty"`
}

// WarehouseHandler orders waybill and shipment, step by step.
type WarehouseHandler struct {
	Steps []WarehouseStep `json:"steps"`
}

// WarehouseStep is one request to the warehouse or its carrier.
type WarehouseStep struct {
	Name           string `json:"name"`
	Action         string `json:"action"`
	Adapter        string `json:"adapter"`
	Path           string `json:"path,omitempty"`
	BodyExpression string `json:"bodyExpression,omitempty"`
}

// CreditHandler credits points.
type CreditHandler struct {
	Adapter          string `json:"adapter"`
	Path             string `json:"path,omitempty"`
	MemberExpression string `json:"memberExpression"`
	PointsExpression string `json:"pointsExpression"`
}

// MarketingHandler grants a coupon.
type MarketingHandler struct {
	Adapter          string `json:"adapter"`
	Path             string `json:"path,omitempty"`
	CampaignID       string `json:"campaignId"`
	MemberExpression string `json:"memberExpression"`
}

// HTTPHandler makes any requests, step by step.
type HTTPHandler struct {
	Steps []HTTPStep `json:"steps"`
}

// HTTPStep is one request, written in CEL.
type HTTPStep struct {
	Name           string `json:"name"`
	Adapter        string `json:"adapter"`
	Method         string `json:"method"`
	Path           string `json:"path,omitempty"`
	PathExpression string `json:"pathExpression,omitempty"`
	BodyExpression string `json:"bodyExpression,omitempty"`
	WhenExpression string `json:"whenExpression,omitempty"`
}

// Alike reports whether two handlers differ in nothing but templates, which can change under a running pod. What cannot: the type, and the names, actions and
// adapters of the steps, which idempotency keys and limits hang on.
func (h Handler) Alike(other Handler) bool {
	return reflect.DeepEqual(h.WithoutTemplates(), other.WithoutTemplates())
}

// WithoutTemplates is what of h cannot change under a running pod.
func (h Handler) WithoutTemplates() Handler {
	bare := Handler{Type: h.Type}
	if h.Push != nil {
		bare.Push = &PushHandler{Adapter: h.Push.Adapter}
	}
	if h.Credit != nil {
		bare.Credit = &CreditHandler{Adapter: h.Credit.Adapter}
	}
	if h.Marketing != nil {
		bare.Marketing = &MarketingHandler{Adapter: h.Marketing.Adapter}
	}
	if h.Warehouse != nil {
		bare.Warehouse = &WarehouseHandler{}
		for _, s := range h.Warehouse.Steps {
			bare.Warehouse.Steps = append(bare.Warehouse.Steps, WarehouseStep{Name: s.Name, Action: s.Action, Adapter: s.Adapter})
		}
	}
	if h.HTTP != nil {
		bare.HTTP = &HTTPHandler{}
		for _, s := range h.HTTP.Steps {
			bare.HTTP.Steps = append(bare.HTTP.Steps, HTTPStep{Name: s.Name, Adapter: s.Adapter})
		}
	}
	return bare
}

// StepAdapters returns the adapter of each step, in the order of the steps.
func (h Handler) StepAdapters() []string {
	switch {
	case h.Push != nil:
		return []string{h.Push.Adapter}
	case h.Credit != nil:
		return []string{h.Credit.Adapter}
	case h.Marketing != nil:
		return []string{h.Marketing.Adapter}
	case h.Warehouse != nil:
		var names []string
		for _, step := range h.Warehouse.Steps {
			names = append(names, step.Adapter)
		}
		return names
	case h.HTTP != nil:
		var names []string
		for _, step := range h.HTTP.Steps {
			names = append(names, step.Adapter)
		}
		return names
	}
	return nil
}
