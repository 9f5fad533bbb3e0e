// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

// fields are changes to a valid manifest: dotted path → YAML, "-" to remove.
type fields map[string]string

// admissionCase is a manifest that is refused with message, and the same one corrected as the message advises.
type admissionCase struct {
	sentence string
	kind     string
	// was is the object before an update; nil for a create.
	was      fields
	refused  fields
	message  string
	accepted fields
}

var valid = map[string]string{
	"MQCluster": `
apiVersion: orderflow.dev/v1alpha1
kind: MQCluster
metadata: {name: orders-mq, namespace: default}
spec: {nameServers: ["rocketmq-namesrv.rocketmq:9876"]}
`,
	"OrderFlow": `
apiVersion: orderflow.dev/v1alpha1
kind: OrderFlow
metadata: {name: order-paid, namespace: default}
spec:
  clusterRef: {name: orders-mq}
  topic: {name: TopicOrderPaySuccess}
  producer: {group: order_producer_group}
  consumers:
  - name: push
    group: push_consumer_group
    handler: {type: Push, push: {adapterRef: {name: sms}, templateId: order_paid, toExpression: order.phone}}
`,
	"MQConsumerGroup": `
apiVersion: orderflow.dev/v1alpha1
kind: MQConsumerGroup
metadata: {name: order-paid-push, namespace: default}
spec:
  clusterRef: {name: orders-mq}
  topic: TopicOrderPaySuccess
  group: push_consumer_group
  handler: {type: Push, push: {adapterRef: {name: sms}, templateId: order_paid, toExpression: order.phone}}
`,
	"DeadLetterReplay": `
apiVersion: orderflow.dev/v1alpha1
kind: DeadLetterReplay
metadata: {name: again, namespace: default}
spec:
  groupRef: {name: order-paid-push}
`,
	"ThirdPartyAdapter": `
apiVersion: orderflow.dev/v1alpha1
kind: ThirdPartyAdapter
metadata: {name: sms, namespace: default}
spec:
  url: https://sms.example.com
  idempotency: {keys: Honoured}
`,
}

const (
	stepOf      = `{name: a, action: CreateWaybill, adapterRef: {name: logistics}}`
	httpStepOf  = `{name: a, adapterRef: {name: erp}}`
	pushHandler = `{adapterRef: {name: sms}, templateId: order_paid, toExpression: order.phone}`

	notNameServer = "a name server is not at localhost, nor at a link-local, multicast, reserved or metadata address: name the host that pods reach it at"
	notThirdParty = "url must not point to a loopback, link-local or metadata address, nor to another that is reserved: a third party has an address of its own"
)
