// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// HandlerType selects what is done with a message.
// +kubebuilder:validation:Enum=Push;Warehouse;Credit;Marketing;HTTP;Custom
type HandlerType string

const (
	// HandlerPush tells the buyer, by SMS or another channel.
	HandlerPush HandlerType = "Push"
	// HandlerWarehouse orders waybill and shipment.
	HandlerWarehouse HandlerType = "Warehouse"
	// HandlerCredit credits points.
	HandlerCredit HandlerType = "Credit"
	// HandlerMarketing grants a coupon of a campaign.
	HandlerMarketing HandlerType = "Marketing"
	// HandlerHTTP makes any request.
	HandlerHTTP HandlerType = "HTTP"
	// HandlerCustom is a user's own image that embeds OrderFlow's runtime.
	HandlerCustom HandlerType = "Custom"
)

// Handler says what is done with a message. Every handler is a list of steps, each one request to a third party; the typed ones know the
// shape of their request, HTTP lets you write it.
// +union
// +kubebuilder:validation:XValidation:rule="self.type == 'Push' ? has(self.push) : !has(self.push)",message="handler.push is given with handler type Push, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'Warehouse' ? has(self.warehouse) : !has(self.warehouse)",message="handler.warehouse is given with handler type Warehouse, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'Credit' ? has(self.credit) : !has(self.credit)",message="handler.credit is given with handler type Credit, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'Marketing' ? has(self.marketing) : !has(self.marketing)",message="handler.marketing is given with handler type Marketing, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type == 'HTTP' ? has(self.http) : !has(self.http)",message="handler.http is given with handler type HTTP, and only with it"
// +kubebuilder:validation:XValidation:rule="self.type != 'Custom'",message="handler type Custom is not available in this version: use HTTP, whose requests are written in CEL"
type Handler struct {
	// type selects the handler.
	// +unionDiscriminator
	// +required
	Type HandlerType `json:"type,omitempty"`

	// whenExpression is a CEL expression, of type bool. A message for which it is false is done without a request. Unset: true.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WhenExpression string `json:"whenExpression,omitempty"`

	// push tells the buyer.
	// +optional
	Push *PushHandler `json:"push,omitempty"`
	// warehouse orders waybill and shipment.
	// +optional
	Warehouse *WarehouseHandler `json:"warehouse,omitempty"`
	// credit credits points.
	// +optional
	Credit *CreditHandler `json:"credit,omitempty"`
	// marketing grants a coupon.
	// +optional
	Marketing *MarketingHandler `json:"marketing,omitempty"`
	// http makes any request.
	// +optional
	HTTP *HTTPHandler `json:"http,omitempty"`
}

// RequestPath is appended to the path of the adapter's URL.
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.size() == 0 || self.matches('^/[A-Za-z0-9._~!$&()*+,;=:@%/-]*$')",message="a path begins with / and has no query or fragment, for example /v1/send"
type RequestPath string

// PushHandler sends `POST <path>` with {"templateId", "to", "parameters"}.
type PushHandler struct {
	// adapterRef names the ThirdPartyAdapter, in the same namespace.
	// +required
	AdapterRef LocalObjectReference `json:"adapterRef,omitzero"`
	// path of the request. Unset: the adapter's URL as it is.
	// +optional
	Path RequestPath `json:"path,omitempty"`
	// templateId is the provider's template.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	TemplateID string `json:"templateId,omitempty"`
	// toExpression is a CEL expression, of type string: whom to tell.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ToExpression string `json:"toExpression,omitempty"`
	// parametersExpression is a CEL expression, of type map, for the template's parameters. Unset: {"orderId": order.id}.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	ParametersExpression string `json:"parametersExpression,omitempty"`
}

// WarehouseAction is what a warehouse step asks for.
// +kubebuilder:validation:Enum=CreateWaybill;NotifyShipment
type WarehouseAction string

const (
	// WarehouseCreateWaybill asks for a waybill.
	WarehouseCreateWaybill WarehouseAction = "CreateWaybill"
	// WarehouseNotifyShipment announces the shipment.
	WarehouseNotifyShipment WarehouseAction = "NotifyShipment"
)

// WarehouseHandler takes its steps in order. A retry begins at the first step, with the same idempotency keys.
type WarehouseHandler struct {
	// steps in order. Every step but the last needs an adapter that honours idempotency keys.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Steps []WarehouseStep `json:"steps,omitempty"`
}

// WarehouseStep sends `POST <path>` with {"action", "orderId", "items", "address"}.
type WarehouseStep struct {
	// name of the step. It is part of the idempotency key: renaming a step makes it another effect.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a step name consists of lower-case letters, digits and '-'"
	Name string `json:"name,omitempty"`
	// action that is asked for.
	// +required
	Action WarehouseAction `json:"action,omitempty"`
	// adapterRef names the ThirdPartyAdapter, in the same namespace.
	// +required
	AdapterRef LocalObjectReference `json:"adapterRef,omitzero"`
	// path of the request. Unset: the adapter's URL as it is.
	// +optional
	Path RequestPath `json:"path,omitempty"`
	// bodyExpression is a CEL expression, of type map, that replaces the body. Unset:
	// {"action": <action>, "orderId": order.id, "items": order.items, "address": order.address}, absent fields left out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	BodyExpression string `json:"bodyExpression,omitempty"`
}

// CreditHandler sends `POST <path>` with {"memberId", "points", "orderId"}.
type CreditHandler struct {
	// adapterRef names the ThirdPartyAdapter, in the same namespace.
	// +required
	AdapterRef LocalObjectReference `json:"adapterRef,omitzero"`
	// path of the request. Unset: the adapter's URL as it is.
	// +optional
	Path RequestPath `json:"path,omitempty"`
	// memberExpression is a CEL expression, of type string: who is credited.
	// Default: order.memberId.
	// +optional
	// +default="order.memberId"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	MemberExpression string `json:"memberExpression,omitempty"`
	// pointsExpression is a CEL expression, of type int: how many points. 0 or less is done without a request.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	PointsExpression string `json:"pointsExpression,omitempty"`
}

// MarketingHandler sends `POST <path>` with {"campaignId", "memberId", "orderId"}.
type MarketingHandler struct {
	// adapterRef names the ThirdPartyAdapter, in the same namespace.
	// +required
	AdapterRef LocalObjectReference `json:"adapterRef,omitzero"`
	// path of the request. Unset: the adapter's URL as it is.
	// +optional
	Path RequestPath `json:"path,omitempty"`
	// campaignId is the provider's campaign.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	CampaignID string `json:"campaignId,omitempty"`
	// memberExpression is a CEL expression, of type string: who gets the coupon.
	// Default: order.memberId.
	// +optional
	// +default="order.memberId"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	MemberExpression string `json:"memberExpression,omitempty"`
}

// HTTPMethod of a request.
// +kubebuilder:validation:Enum=POST;PUT;PATCH;DELETE;GET
type HTTPMethod string

// HTTPHandler takes its steps in order. A retry begins at the first step, with the same idempotency keys.
type HTTPHandler struct {
	// steps in order. Every step but the last needs an adapter that honours idempotency keys.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Steps []HTTPStep `json:"steps,omitempty"`
}

// HTTPStep is one request, written in CEL.
// +kubebuilder:validation:XValidation:rule="!(has(self.path) && has(self.pathExpression))",message="give either path or pathExpression"
// +kubebuilder:validation:XValidation:rule="!has(self.bodyExpression) || !(self.method in ['GET', 'DELETE'])",message="a GET or DELETE request has no body: remove bodyExpression"
type HTTPStep struct {
	// name of the step. It is part of the idempotency key: renaming a step makes it another effect.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a step name consists of lower-case letters, digits and '-'"
	Name string `json:"name,omitempty"`
	// adapterRef names the ThirdPartyAdapter, in the same namespace.
	// +required
	AdapterRef LocalObjectReference `json:"adapterRef,omitzero"`
	// method of the request.
	// Default: POST.
	// +optional
	// +default="POST"
	Method HTTPMethod `json:"method,omitempty"`
	// path of the request. Neither path nor pathExpression: the adapter's URL as it is.
	// +optional
	Path RequestPath `json:"path,omitempty"`
	// pathExpression is a CEL expression, of type string, for the path, for example '"/orders/" + order.id'.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	PathExpression string `json:"pathExpression,omitempty"`
	// bodyExpression is a CEL expression whose result is sent as JSON. Unset: the whole order, or no body for GET and DELETE.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	BodyExpression string `json:"bodyExpression,omitempty"`
	// whenExpression is a CEL expression, of type bool; the step is left out where it is false. Unset: true.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	WhenExpression string `json:"whenExpression,omitempty"`
}
