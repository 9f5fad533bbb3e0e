// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

var handlerCases = []admissionCase{{
	sentence: "a Push handler without its member",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Push}`},
	message:  "handler.push is given with handler type Push, and only with it",
	accepted: fields{"spec.handler": `{type: Push, push: ` + pushHandler + `}`},
}, {
	sentence: "a Warehouse handler with the member of another",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Push, push: ` + pushHandler + `, warehouse: {steps: [` + stepOf + `]}}`},
	message:  "handler.warehouse is given with handler type Warehouse, and only with it",
	accepted: fields{"spec.handler": `{type: Warehouse, warehouse: {steps: [` + stepOf + `]}}`},
}, {
	sentence: "a Credit handler without its member",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Credit}`},
	message:  "handler.credit is given with handler type Credit, and only with it",
	accepted: fields{"spec.handler": `{type: Credit, credit: {adapterRef: {name: points}, pointsExpression: "int(order.amount / 100)"}}`},
}, {
	sentence: "a Marketing handler without its member",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Marketing}`},
	message:  "handler.marketing is given with handler type Marketing, and only with it",
	accepted: fields{"spec.handler": `{type: Marketing, marketing: {adapterRef: {name: coupons}, campaignId: autumn}}`},
}, {
	sentence: "an HTTP handler without its member",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: HTTP}`},
	message:  "handler.http is given with handler type HTTP, and only with it",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [` + httpStepOf + `]}}`},
}, {
	sentence: "a Custom handler, which comes later",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Custom}`},
	message:  "handler type Custom is not available in this version: use HTTP, whose requests are written in CEL",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [` + httpStepOf + `]}}`},
}, {
	sentence: "a path with a query",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler.push.path": `"/send?now"`},
	message:  "a path begins with / and has no query or fragment, for example /v1/send",
	accepted: fields{"spec.handler.push.path": `"/v1/send"`},
}, {
	sentence: "a step name that is none",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Warehouse, warehouse: {steps: [{name: Create_Waybill, action: CreateWaybill, adapterRef: {name: logistics}}]}}`},
	message:  "a step name consists of lower-case letters, digits and '-'",
	accepted: fields{"spec.handler": `{type: Warehouse, warehouse: {steps: [` + stepOf + `]}}`},
}, {
	sentence: "a path of a Credit handler without /",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Credit, credit: {adapterRef: {name: points}, pointsExpression: "1", path: credit}}`},
	message:  "a path begins with / and has no query or fragment, for example /v1/send",
	accepted: fields{"spec.handler": `{type: Credit, credit: {adapterRef: {name: points}, pointsExpression: "1", path: /credit}}`},
}, {
	sentence: "a path of a Marketing handler with a fragment",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Marketing, marketing: {adapterRef: {name: coupons}, campaignId: autumn, path: "/a#b"}}`},
	message:  "a path begins with / and has no query or fragment, for example /v1/send",
	accepted: fields{"spec.handler": `{type: Marketing, marketing: {adapterRef: {name: coupons}, campaignId: autumn, path: "/a/b"}}`},
}, {
	sentence: "a path of a Warehouse step that is a URL",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: Warehouse, warehouse: {steps: [{name: a, action: CreateWaybill, adapterRef: {name: logistics}, path: https://example.com/v1}]}}`},
	message:  "a path begins with / and has no query or fragment, for example /v1/send",
	accepted: fields{"spec.handler": `{type: Warehouse, warehouse: {steps: [{name: a, action: CreateWaybill, adapterRef: {name: logistics}, path: /v1}]}}`},
}, {
	sentence: "a path of an HTTP step with a query",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, path: "/a?b"}]}}`},
	message:  "a path begins with / and has no query or fragment, for example /v1/send",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, path: "/a"}]}}`},
}, {
	sentence: "a name of an HTTP step that is none",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: HTTP, http: {steps: [{name: Create_Order, adapterRef: {name: erp}}]}}`},
	message:  "a step name consists of lower-case letters, digits and '-'",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [{name: create-order, adapterRef: {name: erp}}]}}`},
}, {
	sentence: "a step with two paths",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, path: /a, pathExpression: order.id}]}}`},
	message:  "give either path or pathExpression",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, pathExpression: order.id}]}}`},
}, {
	sentence: "a GET with a body",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, method: GET, bodyExpression: order}]}}`},
	message:  "a GET or DELETE request has no body: remove bodyExpression",
	accepted: fields{"spec.handler": `{type: HTTP, http: {steps: [{name: a, adapterRef: {name: erp}, method: GET}]}}`},
}}
