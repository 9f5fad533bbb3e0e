// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

var groupCases = []admissionCase{{
	sentence: "a group that moves to another cluster",
	kind:     "MQConsumerGroup",
	was:      fields{},
	refused:  fields{"spec.clusterRef.name": "other"},
	message:  "clusterRef cannot change: create a second MQConsumerGroup on the other cluster and let the old one run empty",
	accepted: fields{},
}, {
	sentence: "a group that moves to another topic",
	kind:     "MQConsumerGroup",
	was:      fields{},
	refused:  fields{"spec.topic": "Other"},
	message:  "topic cannot change: offsets of the old topic would be left behind; create a second MQConsumerGroup",
	accepted: fields{},
}, {
	sentence: "a group that is renamed",
	kind:     "MQConsumerGroup",
	was:      fields{},
	refused:  fields{"spec.group": "other"},
	message:  "group cannot change: its offsets would be left behind and messages handled twice or never; add a consumer with the new group instead",
	accepted: fields{},
}, {
	sentence: "both replicas and scaling",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.replicas": "2", "spec.scaling": `{maxReplicas: 4}`},
	message:  "give either replicas or scaling: with scaling OrderFlow sets the replicas; remove scaling to use a fixed number, kubectl scale, HPA or KEDA",
	accepted: fields{"spec.replicas": "2"},
}, {
	sentence: "suspend, which comes later",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.suspend": "true"},
	message:  "suspend is not available in this version: set replicas to 0 to stop consuming; messages wait in the broker",
	accepted: fields{"spec.replicas": "0"},
}, {
	sentence: "a group that sends and becomes a shadow",
	kind:     "MQConsumerGroup",
	was:      fields{},
	refused:  fields{"spec.dispatch": "Shadow"},
	message:  "dispatch cannot change from Send to Shadow: messages that wait to be sent would pass unsent; add a consumer with a group of its own and dispatch Shadow, or set replicas to 0 to stop sending",
	accepted: fields{},
}, {
	sentence: "a shadow that begins to send in the wrong case",
	kind:     "MQConsumerGroup",
	was:      fields{"spec.dispatch": "Shadow"},
	refused:  fields{"spec.dispatch": "send"},
	message:  `supported values: "Send", "Shadow"`,
	accepted: fields{"spec.dispatch": "Send"},
}, {
	sentence: "a shadow of somebody's group",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.dispatch": "Shadow", "spec.adoptionPolicy": "Adopt"},
	message:  "a shadow passes over messages without sending them, so it takes over nobody's group: leave adoptionPolicy at Never and choose a group that does not exist yet",
	accepted: fields{"spec.dispatch": "Shadow", "spec.adoptionPolicy": "Never"},
}, {
	sentence: "a message to be skipped that has no id",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.skipMessageIDs": `[""]`},
	message:  "spec.skipMessageIDs[0] in body should be at least 1 chars long",
	accepted: fields{"spec.skipMessageIDs": `["7F0000010001138"]`},
}, {
	sentence: "an expiry that is over before a message arrives",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.expiry": `{after: 1ms}`},
	message:  "expiry.after is at least 1s",
	accepted: fields{"spec.expiry": `{after: 1s, sinceExpression: order.paidAt}`},
}, {
	sentence: "a topic with a character RocketMQ refuses",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.topic": "order.paid"},
	message:  "a topic name consists of letters, digits, '_' and '-'",
	accepted: fields{"spec.topic": "order-paid"},
}, {
	sentence: "a group with a character RocketMQ refuses",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.group": "push%group"},
	message:  "a consumer group consists of letters, digits, '_' and '-'",
	accepted: fields{"spec.group": "push_group"},
}, {
	sentence: "a group name that RocketMQ reserves",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.group": "TOOLS_CONSUMER"},
	message:  "this group name is reserved by RocketMQ: choose another",
	accepted: fields{"spec.group": "TOOLS"},
}, {
	sentence: "a subscription without its member",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.subscription": `{type: Tag}`},
	message:  `a subscription of type Tag has the member tag and no other, for example tag: {expression: "*"}`,
	accepted: fields{"spec.subscription": `{type: Tag, tag: {expression: "*"}}`},
}, {
	sentence: "SQL92 with a tag",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.subscription": `{type: SQL92, tag: {expression: "paid"}, sql92: {expression: "amount > 100"}}`},
	message:  `a subscription of type SQL92 has the member sql92 and no other, for example sql92: {expression: "amount > 100"}`,
	accepted: fields{"spec.subscription": `{type: SQL92, sql92: {expression: "amount > 100"}}`},
}, {
	sentence: "tags joined by a comma",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.subscription": `{type: Tag, tag: {expression: "paid | refunded"}}`},
	message:  `a tag expression is "*" or tags joined by ||, for example "paid || refunded"`,
	accepted: fields{"spec.subscription": `{type: Tag, tag: {expression: "paid || refunded"}}`},
}, {
	sentence: "Orderly without a key",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{order: Orderly}`},
	message:  "consume.order Orderly needs orderKeyExpression: say whose messages are handled in order, for example orderKeyExpression: order.id, or use Concurrently",
	accepted: fields{"spec.consume": `{order: Orderly, orderKeyExpression: order.id}`},
}, {
	sentence: "Orderly in every pod",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{order: Orderly, orderKeyExpression: order.id, model: Broadcasting}`},
	message:  "consume.order Orderly is for model Clustering only, in which one pod at a time has a queue: use order Concurrently",
	accepted: fields{"spec.consume": `{mode: Pull, order: Orderly, orderKeyExpression: order.id, model: Clustering}`},
}, {
	sentence: "a mode that does not exist",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{mode: Fetch}`},
	message:  `supported values: "Push", "Pull"`,
	accepted: fields{"spec.consume": `{mode: Pull}`},
}, {
	sentence: "an order key without order",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{orderKeyExpression: order.id}`},
	message:  "orderKeyExpression is used with order Orderly only: remove it",
	accepted: fields{"spec.consume": `{mode: Pull}`},
}, {
	sentence: "Broadcasting that nobody says is meant",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.consume", `{model: Broadcasting}`),
	message:  "consume.model Broadcasting hands every message to every pod, and each makes its own requests: say that this is wanted, broadcasting: {effect: OncePerPod}, or use Clustering",
	accepted: broadcast("spec.consume", `{model: Broadcasting, broadcasting: {effect: OncePerPod}}`),
}, {
	sentence: "an effect of Broadcasting where messages are shared",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{broadcasting: {effect: OncePerPod}}`},
	message:  "consume.broadcasting is used with model Broadcasting only: remove it",
	accepted: fields{"spec.consume": `{model: Clustering}`},
}, {
	sentence: "Broadcasting at the handler's pace",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.consume", "{model: Broadcasting, broadcasting: {effect: OncePerPod}, mode: Pull}"),
	message:  "consume.model Broadcasting goes with mode Push only",
	accepted: broadcast("spec.consume", "{model: Broadcasting, broadcasting: {effect: OncePerPod}, mode: Push}"),
}, {
	sentence: "Broadcasting of what was sent before",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.consume", "{model: Broadcasting, broadcasting: {effect: OncePerPod}, startFrom: {position: Earliest}}"),
	message:  "with consume.model Broadcasting a pod begins with what is sent while it runs: use startFrom: {position: Latest}",
	accepted: broadcast("spec.consume", "{model: Broadcasting, broadcasting: {effect: OncePerPod}, startFrom: {position: Latest}}"),
}, {
	sentence: "a push to the customer from every pod",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.handler", "{type: Push, push: "+pushHandler+"}"),
	message:  "consume.model Broadcasting goes with handler.type HTTP only: other handlers have effects that are wanted once, not once per pod; use model Clustering",
	accepted: broadcast("spec.handler", "{type: HTTP, http: {steps: ["+httpStepOf+"]}}"),
}, {
	sentence: "retries of a pod",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.retry", "{maxAttempts: 2}"),
	message:  "with consume.model Broadcasting a message that fails is dropped, since retries are a group's and not a pod's: set retry: {maxAttempts: 1}, or use model Clustering",
	accepted: broadcast("spec.retry", "{maxAttempts: 1}"),
}, {
	sentence: "scaling of what every pod does",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.scaling", "{maxReplicas: 4}"),
	message:  "with consume.model Broadcasting more pods do not share the work, they repeat it: remove scaling and set replicas",
	accepted: broadcast("spec.replicas", "4"),
}, {
	sentence: "Broadcasting beside members that share",
	kind:     "MQConsumerGroup",
	refused:  broadcast("spec.adoptionPolicy", "Migrate"),
	message:  "with consume.model Broadcasting there are no queues to take over: use adoptionPolicy Adopt",
	accepted: broadcast("spec.adoptionPolicy", "Adopt"),
}, {
	sentence: "a start at a time that is not given",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.consume": `{startFrom: {position: Timestamp}}`},
	message:  "timestamp is given with position Timestamp, and only with it, for example timestamp: 2026-11-01T00:00:00Z",
	accepted: fields{"spec.consume": `{startFrom: {position: Timestamp, timestamp: "2026-11-01T00:00:00Z"}}`},
}, {
	sentence: "a retry plan longer than the broker keeps messages",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.retry": `{maxDuration: 100h}`},
	message:  "retry.maxDuration lies between 1s and 24h: RocketMQ keeps messages for 72h by default and a retry has to end well before",
	accepted: fields{"spec.retry": `{maxDuration: 24h}`},
}, {
	sentence: "more replicas at least than at most",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.scaling": `{minReplicas: 3, maxReplicas: 2}`},
	message:  "minReplicas is at most maxReplicas",
	accepted: fields{"spec.scaling": `{minReplicas: 2, maxReplicas: 2}`},
}, {
	sentence: "a drain time that no scaling can meet",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.scaling": `{maxReplicas: 2, targetDrainTime: 1s}`},
	message:  "targetDrainTime lies between 10s and 1h",
	accepted: fields{"spec.scaling": `{maxReplicas: 2, targetDrainTime: 10s}`},
}, {
	sentence: "a grace period that is too short for a call to end",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.workload": `{terminationGracePeriod: 1s}`},
	message:  "terminationGracePeriod lies between 5s and 10m",
	accepted: fields{"spec.workload": `{terminationGracePeriod: 5s}`},
}, {
	sentence: "a pod label that OrderFlow selects by",
	kind:     "MQConsumerGroup",
	refused:  fields{"spec.workload": `{podLabels: {app.kubernetes.io/name: mine}}`},
	message:  "labels of orderflow.dev and app.kubernetes.io are set by OrderFlow: use another prefix",
	accepted: fields{"spec.workload": `{podLabels: {team: mine}}`},
}, {
	sentence: "a group whose name cannot name a Service",
	kind:     "MQConsumerGroup",
	refused:  fields{"metadata.name": "order.paid"},
	message:  "the name of an MQConsumerGroup has at most 61 characters: lower-case letters, digits and '-'; it names Deployment and Service",
	accepted: fields{"metadata.name": "order-paid"},
}}

// broadcast is a group that may broadcast, but for one field.
func broadcast(path, value string) fields {
	group := fields{
		"spec.handler": "{type: HTTP, http: {steps: [" + httpStepOf + "]}}",
		"spec.retry":   "{maxAttempts: 1}",
		"spec.consume": "{model: Broadcasting, broadcasting: {effect: OncePerPod}}",
	}
	group[path] = value
	return group
}
