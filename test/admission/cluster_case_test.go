// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import "slices"

var cases = slices.Concat(clusterCases, flowCases, groupCases, handlerCases, adapterCases, authCases, replayCases)

var clusterCases = []admissionCase{{
	sentence: "a name server without a port",
	kind:     "MQCluster",
	refused:  fields{"spec.nameServers": `["rocketmq-namesrv"]`},
	message:  "a name server is written host:port, for example rocketmq-namesrv.rocketmq:9876",
	accepted: fields{"spec.nameServers": `["rocketmq-namesrv:9876", "[fd00::1]:9876"]`},
}, {
	sentence: "a name server at localhost, which is another machine for each pod",
	kind:     "MQCluster",
	refused:  fields{"spec.nameServers": `["localhost:9876"]`},
	message:  notNameServer,
	accepted: fields{"spec.nameServers": `["localhost.example.com:9876"]`},
}, {
	sentence: "a name server at the cloud's metadata address",
	kind:     "MQCluster",
	refused:  fields{"spec.nameServers": `["10.0.0.1:9876", "169.254.169.254:80"]`},
	message:  notNameServer,
	accepted: fields{"spec.nameServers": `["10.0.0.1:9876"]`},
}, {
	sentence: "a name server at an IPv6 link-local address",
	kind:     "MQCluster",
	refused:  fields{"spec.nameServers": `["[fe80::1]:9876"]`},
	message:  notNameServer,
	accepted: fields{"spec.nameServers": `["[2001:db8::1]:9876"]`},
}, {
	sentence: "an egress network that is no CIDR",
	kind:     "MQCluster",
	refused:  fields{"spec.egressCIDRs": `["10.20.0.0"]`},
	message:  "an egress network is written in CIDR form, for example 10.20.0.0/16",
	accepted: fields{"spec.egressCIDRs": `["10.20.0.0/16"]`},
}, {
	sentence: "TLS to the brokers, which comes later",
	kind:     "MQCluster",
	refused:  fields{"spec.tls": `{mode: Verify}`},
	message:  "tls.mode Verify is not available in this version: remove spec.tls, or reach the brokers through a TLS-terminating proxy",
	accepted: fields{"spec.tls": `{mode: Disabled}`},
}, {
	sentence: "certificates to trust, and no TLS",
	kind:     "MQCluster",
	refused:  fields{"spec.tls": `{mode: Disabled, caSecretRef: {name: ca}}`},
	message:  "tls.caSecretRef and tls.serverName are used with tls.mode Verify only: remove them",
	accepted: fields{"spec.tls": `{mode: Disabled}`},
}, {
	sentence: "the name of a certificate, and no TLS",
	kind:     "MQCluster",
	refused:  fields{"spec.tls": `{mode: Disabled, serverName: mq}`},
	message:  "tls.caSecretRef and tls.serverName are used with tls.mode Verify only: remove them",
	accepted: fields{"spec.tls": "-"},
}, {
	sentence: "a TLS mode that does not exist",
	kind:     "MQCluster",
	refused:  fields{"spec.tls": `{mode: Encrypt}`},
	message:  `supported values: "Disabled", "Verify"`,
	accepted: fields{"spec.tls": `{mode: Disabled}`},
}, {
	sentence: "an unknown field is refused by name",
	kind:     "MQCluster",
	refused:  fields{"spec.nameServer": `"a:1"`},
	message:  `unknown field "spec.nameServer"`,
	accepted: fields{"spec.nameServers": `["a:1"]`},
}}

var flowCases = []admissionCase{{
	sentence: "a flow that moves to another cluster",
	kind:     "OrderFlow",
	was:      fields{},
	refused:  fields{"spec.clusterRef.name": "other"},
	message:  "clusterRef cannot change: create a second OrderFlow on the other cluster and let the old one run empty",
	accepted: fields{},
}, {
	sentence: "a flow whose topic is renamed",
	kind:     "OrderFlow",
	was:      fields{},
	refused:  fields{"spec.topic.name": "Other"},
	message:  "topic.name cannot change: messages of the old topic would be left behind; create a second OrderFlow",
	accepted: fields{},
}, {
	sentence: "a topic that shrinks",
	kind:     "OrderFlow",
	was:      fields{"spec.topic.queuesPerBroker": "8"},
	refused:  fields{"spec.topic.queuesPerBroker": "4"},
	message:  "queuesPerBroker can only grow: messages in a removed queue would never be read",
	accepted: fields{"spec.topic.queuesPerBroker": "16"},
}, {
	sentence: "a topic that becomes of another type",
	kind:     "OrderFlow",
	was:      fields{"spec.topic.messageType": "FIFO"},
	refused:  fields{"spec.topic.messageType": "Delay"},
	message:  "topic.messageType cannot change: brokers keep the type a topic was made with; create a second OrderFlow with another topic",
	accepted: fields{"spec.topic.messageType": "FIFO"},
}, {
	sentence: "growth at the cost of order, which comes later",
	kind:     "OrderFlow",
	refused:  fields{"spec.topic.growthPolicy": "AcceptReorder"},
	message:  "topic.growthPolicy AcceptReorder is not available in this version: use Refuse; it concerns Orderly groups only",
	accepted: fields{"spec.topic.growthPolicy": "Refuse"},
}, {
	sentence: "a topic that is closed to some, which comes later",
	kind:     "OrderFlow",
	refused:  fields{"spec.topic.permission": "Read"},
	message:  "topic.permission other than ReadWrite is not available in this version: use ReadWrite",
	accepted: fields{"spec.topic.permission": "ReadWrite"},
}, {
	sentence: "a topic to be migrated",
	kind:     "OrderFlow",
	refused:  fields{"spec.topic.adoptionPolicy": "Migrate"},
	message:  "a topic has no members to migrate: use adoptionPolicy Adopt to take over an existing topic",
	accepted: fields{"spec.topic.adoptionPolicy": "Adopt"},
}, {
	sentence: "a topic name with a character RocketMQ refuses",
	kind:     "OrderFlow",
	refused:  fields{"spec.topic.name": "order.paid"},
	message:  "a topic name consists of letters, digits, '_' and '-'",
	accepted: fields{"spec.topic.name": "order-paid"},
}, {
	sentence: "a topic name that RocketMQ reserves",
	kind:     "OrderFlow",
	refused:  fields{"spec.topic.name": "TBW102"},
	message:  "this topic name is reserved by RocketMQ: choose another",
	accepted: fields{"spec.topic.name": "TBW103"},
}, {
	sentence: "a producer group with a character RocketMQ refuses",
	kind:     "OrderFlow",
	refused:  fields{"spec.producer.group": "order.producer"},
	message:  "a producer group consists of letters, digits, '_' and '-'",
	accepted: fields{"spec.producer.group": "order_producer"},
}, {
	sentence: "a send timeout that outlasts a buyer's patience",
	kind:     "OrderFlow",
	refused:  fields{"spec.producer.sendTimeout": "1m"},
	message:  "sendTimeout lies between 100ms and 30s",
	accepted: fields{"spec.producer.sendTimeout": "1.5s"},
}, {
	sentence: "a binding Secret name that is none",
	kind:     "OrderFlow",
	refused:  fields{"spec.producer.bindingSecretName": "Order_Paid"},
	message:  "bindingSecretName is the name of a Secret: lower-case letters, digits, '-' and '.'",
	accepted: fields{"spec.producer.bindingSecretName": "order-paid"},
}, {
	sentence: "a consumer name that cannot be part of a Deployment's name",
	kind:     "OrderFlow",
	refused:  fields{"spec.consumers.0.name": "Push"},
	message:  "a consumer name consists of lower-case letters, digits and '-'",
	accepted: fields{"spec.consumers.0.name": "push"},
}, {
	sentence: "a flow whose name leaves no room for its groups",
	kind:     "OrderFlow",
	refused:  fields{"metadata.name": "an-order-flow-with-a-name-of-more-than-forty-characters"},
	message:  "the name of an OrderFlow has at most 40 characters: lower-case letters, digits and '-'; the names of its groups are made from it",
	accepted: fields{"metadata.name": "an-order-flow"},
}, {
	sentence: "a send mode that does not exist",
	kind:     "OrderFlow",
	refused:  fields{"spec.producer.sendMode": "Fast"},
	message:  `supported values: "Sync", "Async", "Oneway"`,
	accepted: fields{"spec.producer.sendMode": "Oneway"},
}, {
	sentence: "retries of a callback that is never called",
	kind:     "OrderFlow",
	refused:  fields{"spec.producer.asyncRetries": "1"},
	message:  "producer.asyncRetries is used with sendMode Async only: remove it, or send with Async",
	accepted: fields{"spec.producer.asyncRetries": "1", "spec.producer.sendMode": "Async"},
}, {
	sentence: "two consumers of one group",
	kind:     "OrderFlow",
	refused:  fields{"spec.consumers": consumers("push_consumer_group", "push_consumer_group")},
	message:  "each consumer has a group of its own: consumers of one group would share the messages instead of each receiving every one",
	accepted: fields{"spec.consumers": consumers("push_consumer_group", "sms_consumer_group")},
}, {
	sentence: "an unknown field of a consumer is refused by name",
	kind:     "OrderFlow",
	refused:  fields{"spec.consumers.0.retries": "3"},
	message:  `unknown field "spec.consumers[0].retries"`,
	accepted: fields{"spec.consumers.0.retry": `{maxAttempts: 3}`},
}}

// consumers are two, of these groups.
func consumers(first, second string) string {
	return `[{name: first, group: ` + first + `, handler: {type: Push, push: ` + pushHandler + `}}, {name: second, group: ` + second + `, handler: {type: Push, push: ` + pushHandler + `}}]`
}
