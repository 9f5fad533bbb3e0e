// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConsumerTemplate is everything a consumer of a topic is, apart from the topic itself. OrderFlow writes it inline, MQConsumerGroup in its spec.
// +kubebuilder:validation:XValidation:rule="!(has(self.replicas) && has(self.scaling))",message="give either replicas or scaling: with scaling OrderFlow sets the replicas; remove scaling to use a fixed number, kubectl scale, HPA or KEDA"
// +kubebuilder:validation:XValidation:rule="self.group == oldSelf.group",message="group cannot change: its offsets would be left behind and messages handled twice or never; add a consumer with the new group instead"
// +kubebuilder:validation:XValidation:rule="self.dispatch == oldSelf.dispatch || self.dispatch == 'Send'",message="dispatch cannot change from Send to Shadow: messages that wait to be sent would pass unsent; add a consumer with a group of its own and dispatch Shadow, or set replicas to 0 to stop sending"
// +kubebuilder:validation:XValidation:rule="self.dispatch != 'Shadow' || self.adoptionPolicy == 'Never'",message="a shadow passes over messages without sending them, so it takes over nobody's group: leave adoptionPolicy at Never and choose a group that does not exist yet"
// +kubebuilder:validation:XValidation:rule="self.consume.model != 'Broadcasting' || self.handler.type == 'HTTP'",message="consume.model Broadcasting goes with handler.type HTTP only: other handlers have effects that are wanted once, not once per pod; use model Clustering"
// +kubebuilder:validation:XValidation:rule="self.consume.model != 'Broadcasting' || self.retry.maxAttempts == 1",message="with consume.model Broadcasting a message that fails is dropped, since retries are a group's and not a pod's: set retry: {maxAttempts: 1}, or use model Clustering"
// +kubebuilder:validation:XValidation:rule="self.consume.model != 'Broadcasting' || !has(self.scaling)",message="with consume.model Broadcasting more pods do not share the work, they repeat it: remove scaling and set replicas"
// +kubebuilder:validation:XValidation:rule="self.consume.model != 'Broadcasting' || self.adoptionPolicy != 'Migrate'",message="with consume.model Broadcasting there are no queues to take over: use adoptionPolicy Adopt"
type ConsumerTemplate struct {
	// group is the consumer group on the broker. Each group receives every message of the topic once.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="a consumer group consists of letters, digits, '_' and '-'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['DEFAULT_CONSUMER','DEFAULT_PRODUCER','CLIENT_INNER_PRODUCER','SELF_TEST_P_GROUP','TOOLS_CONSUMER','SCHEDULE_CONSUMER','FILTERSRV_CONSUMER','__MONITOR_CONSUMER','SELF_TEST_C_GROUP','CID_ONS-HTTP-PROXY','CID_ONSAPI_PERMISSION','CID_ONSAPI_OWNER','CID_ONSAPI_PULL']) && !self.startsWith('CID_RMQ_SYS_')",message="this group name is reserved by RocketMQ: choose another"
	Group string `json:"group,omitempty"`

	// subscription selects messages of the topic. Unset: all.
	// +optional
	// +default={"type":"Tag","tag":{"expression":"*"}}
	Subscription Subscription `json:"subscription,omitzero"`

	// consume says how messages reach the handler.
	// Default: Push, Concurrently, Clustering.
	// +optional
	// +default={"mode":"Push","order":"Concurrently","model":"Clustering"}
	Consume Consume `json:"consume,omitzero"`

	// concurrency bounds the messages handled at once.
	// +optional
	// +default={}
	Concurrency Concurrency `json:"concurrency,omitzero"`

	// handler says what is done with a message. Running pods take over how requests look (expressions, paths, methods, ids); another type, or another name, action
	// or adapter of a step replaces the pods.
	// +required
	Handler Handler `json:"handler,omitzero"`

	// dispatch says what becomes of the handler's requests. Send: they are made. Shadow: each is logged, with the order's values replaced by their types and
	// lengths, and none is made; every message passes, and what would be a dead letter is logged with its reason. Give a shadow a group of its own. From
	// Shadow to Send it goes on with the messages that no pod has passed yet: those seen in the shadow are never sent.
	// Default: Send.
	// +optional
	// +default="Send"
	Dispatch Dispatch `json:"dispatch,omitempty"`

	// idempotency says which messages are the same business event.
	// +optional
	Idempotency *MessageIdempotency `json:"idempotency,omitempty"`

	// retry says how often and how long a message is tried. Time spent waiting in the broker, or while the third party is down, never counts.
	// What it comes to with the brokers' delay levels is in status.retryPlan of the MQConsumerGroup.
	// +optional
	// +default={}
	Retry RetryPlan `json:"retry,omitzero"`

	// expiry makes messages that are too old to be of use dead letters of the kind expired. Unset: messages are handled however old they are.
	// +optional
	Expiry *Expiry `json:"expiry,omitempty"`

	// skipMessageIDs names messages that become dead letters, with the reason SkippedByID, without being handled: one that never succeeds and holds others up.
	// The id of a message is in the workers' logs and in the condition that speaks of it. Pods take the list over while they run; a message that already was
	// handled is not touched. Which of them were met is in status.skippedMessageIDs of the MQConsumerGroup.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	SkipMessageIDs []string `json:"skipMessageIDs,omitempty"`

	// replicas is a fixed number of pods. It is the field that kubectl scale, HPA and KEDA set. Neither replicas nor scaling: 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`

	// scaling lets OrderFlow choose the number of pods from the lag.
	// +optional
	Scaling *Scaling `json:"scaling,omitempty"`

	// deletionPolicy says what becomes of the group on the broker, its offsets, retries and dead letters, when this consumer is deleted.
	// Default: Retain.
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// adoptionPolicy says what to do with a group of this name that was there before. Never: Conflict. Adopt: take it over, with its offsets, once no
	// foreign member is online. Migrate: join beside its members, which must want the same messages, in the same order; ForeignConsumers is True until the last
	// has left, and until then messages of a queue that moves may be handled twice.
	// Default: Never.
	// +optional
	// +default="Never"
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// suspend stops consuming: no message is fetched or begins to be handled, what runs ends, the pods stay members of the group and keep their queues, and messages
	// wait in the broker, where no attempt of theirs is counted. The condition Drained says when nothing runs or is about to come any more. Pods that run take it over
	// within seconds, and the number of pods does not grow meanwhile. With consume.model Broadcasting a pod that ends while it is suspended has missed what was sent.
	// Unset: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// drainDeadline is how long a suspended group, by its own suspend or that of a ThirdPartyAdapter it calls, may take to be drained, 1s to 24h. Then the condition Drained has
	// the reason DrainDeadlineExceeded, with what is left and what to do, and an event tells it once. Nothing is stopped by it.
	// Default: 30m.
	// +optional
	// +default="30m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="drainDeadline lies between 1s and 24h"
	DrainDeadline metav1.Duration `json:"drainDeadline,omitzero"`

	// workload settings of the pods.
	// +optional
	Workload *Workload `json:"workload,omitempty"`
}

// Dispatch says what becomes of the handler's requests.
// +kubebuilder:validation:Enum=Send;Shadow
type Dispatch string

const (
	// DispatchSend makes them.
	DispatchSend Dispatch = "Send"
	// DispatchShadow logs them instead, to look at a new adapter with real orders.
	DispatchShadow Dispatch = "Shadow"
)

// SubscriptionType selects the language of a subscription.
// +kubebuilder:validation:Enum=Tag;SQL92
type SubscriptionType string

const (
	// SubscriptionTag selects by the message's tag.
	SubscriptionTag SubscriptionType = "Tag"
	// SubscriptionSQL92 selects by a SQL92 expression over the message's properties.
	SubscriptionSQL92 SubscriptionType = "SQL92"
)

// Subscription selects messages of the topic.
// +union
// +kubebuilder:validation:XValidation:rule="self.type == 'Tag' ? has(self.tag) && !has(self.sql92) : true",message="a subscription of type Tag has the member tag and no other, for example tag: {expression: \"*\"}"
// +kubebuilder:validation:XValidation:rule="self.type == 'SQL92' ? has(self.sql92) && !has(self.tag) : true",message="a subscription of type SQL92 has the member sql92 and no other, for example sql92: {expression: \"amount > 100\"}"
type Subscription struct {
	// type is Tag or SQL92.
	// +unionDiscriminator
	// +required
	Type SubscriptionType `json:"type,omitempty"`
	// tag selects by tag.
	// +optional
	Tag *TagSubscription `json:"tag,omitempty"`
	// sql92 selects by expression.
	// +optional
	SQL92 *SQL92Subscription `json:"sql92,omitempty"`
}

// TagSubscription selects by tag.
type TagSubscription struct {
	// expression is "*" for all, or tags joined by "||", for example "paid || refunded".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '*' || self.matches('^ *[^|* ]+ *([|][|] *[^|* ]+ *)*$')",message="a tag expression is \"*\" or tags joined by ||, for example \"paid || refunded\""
	Expression string `json:"expression,omitempty"`
}

// SQL92Subscription selects by an expression over the message's properties, at the broker: what does not match never reaches a pod. The broker needs
// enablePropertyFilter=true; with it off, or with an expression it cannot read, the group is Stalled and says so. What does not match counts as lag until a pod
// has passed over it.
type SQL92Subscription struct {
	// expression is a SQL92 condition over the properties the sender set, for example "amount > 100 AND region = 'EU'". A message without a property that the
	// condition compares does not match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression,omitempty"`
}

// ConsumeMode says who sets the pace between broker and handler. Both are backed by the same core and the group's committed offset.
// +kubebuilder:validation:Enum=Push;Pull
type ConsumeMode string

const (
	// ConsumePush hands messages to the handler as they arrive.
	ConsumePush ConsumeMode = "Push"
	// ConsumePull lets the handler side ask for batches at its own pace.
	ConsumePull ConsumeMode = "Pull"
)

// ConsumeOrder says whether order matters.
// +kubebuilder:validation:Enum=Concurrently;Orderly
type ConsumeOrder string

const (
	// ConsumeConcurrently handles messages side by side, in no order.
	ConsumeConcurrently ConsumeOrder = "Concurrently"
	// ConsumeOrderly handles messages of one key one after the other.
	ConsumeOrderly ConsumeOrder = "Orderly"
)

// ConsumeModel says whether pods share the messages or each get all.
// +kubebuilder:validation:Enum=Clustering;Broadcasting
type ConsumeModel string

const (
	// ConsumeClustering shares the messages among the pods.
	ConsumeClustering ConsumeModel = "Clustering"
	// ConsumeBroadcasting gives every pod every message.
	ConsumeBroadcasting ConsumeModel = "Broadcasting"
)

// BroadcastEffect says how often a message has its effect.
// +kubebuilder:validation:Enum=OncePerPod
type BroadcastEffect string

// BroadcastOncePerPod: once for each pod that runs, as when each has something of its own refreshed. The pod is part of the idempotency keys.
const BroadcastOncePerPod BroadcastEffect = "OncePerPod"

// Broadcasting declares what is meant by the model of this name.
type Broadcasting struct {
	// effect is OncePerPod: n pods make n requests for each message, each with a key of its own.
	// +required
	Effect BroadcastEffect `json:"effect,omitempty"`
}

// StartPosition says where a group begins that has consumed nothing yet.
// +kubebuilder:validation:Enum=Latest;Earliest;Timestamp
type StartPosition string

const (
	// StartLatest begins with the first message sent after the group was made.
	StartLatest StartPosition = "Latest"
	// StartEarliest begins with the oldest message the broker still has.
	StartEarliest StartPosition = "Earliest"
	// StartTimestamp begins with the first message stored at or after a time.
	StartTimestamp StartPosition = "Timestamp"
)

// Consume says how messages reach the handler.
// +kubebuilder:validation:XValidation:rule="self.order != 'Orderly' || has(self.orderKeyExpression)",message="consume.order Orderly needs orderKeyExpression: say whose messages are handled in order, for example orderKeyExpression: order.id, or use Concurrently"
// +kubebuilder:validation:XValidation:rule="self.order != 'Orderly' || self.model == 'Clustering'",message="consume.order Orderly is for model Clustering only, in which one pod at a time has a queue: use order Concurrently"
// +kubebuilder:validation:XValidation:rule="!has(self.orderKeyExpression) || self.order == 'Orderly'",message="orderKeyExpression is used with order Orderly only: remove it"
// +kubebuilder:validation:XValidation:rule="self.model != 'Broadcasting' || has(self.broadcasting)",message="consume.model Broadcasting hands every message to every pod, and each makes its own requests: say that this is wanted, broadcasting: {effect: OncePerPod}, or use Clustering"
// +kubebuilder:validation:XValidation:rule="self.model == 'Broadcasting' || !has(self.broadcasting)",message="consume.broadcasting is used with model Broadcasting only: remove it"
// +kubebuilder:validation:XValidation:rule="self.model != 'Broadcasting' || self.mode == 'Push'",message="consume.model Broadcasting goes with mode Push only"
// +kubebuilder:validation:XValidation:rule="self.model != 'Broadcasting' || self.startFrom.position == 'Latest'",message="with consume.model Broadcasting a pod begins with what is sent while it runs: use startFrom: {position: Latest}"
type Consume struct {
	// mode is Push or Pull.
	// Default: Push.
	// +optional
	// +default="Push"
	Mode ConsumeMode `json:"mode,omitempty"`

	// order is Concurrently or Orderly. With Orderly messages of one key are handled one after the other, in the order in which the broker has them, and a
	// message that fails is tried again in its place. The producer has to send all messages of a key to one queue.
	// Default: Concurrently.
	// +optional
	// +default="Concurrently"
	Order ConsumeOrder `json:"order,omitempty"`

	// orderKeyExpression is a CEL expression, of type string, whose equal results are handled in order, for example order.id. Messages for which it is empty
	// are in order with each other, queue by queue; one for which it fails is a dead letter. Needed with Orderly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	OrderKeyExpression string `json:"orderKeyExpression,omitempty"`

	// model is Clustering, where one pod handles a message, or Broadcasting, where every pod does: each gets what is sent while it runs, and its position is in
	// memory only. With Broadcasting a message that fails, or is too old, is dropped, logged and counted (orderflow_dropped_messages_total): there are no
	// retries, no dead letters, no lag and no scaling. What waits for a third party that is down is lost when its pod ends.
	// Default: Clustering.
	// +optional
	// +default="Clustering"
	Model ConsumeModel `json:"model,omitempty"`

	// broadcasting declares what is meant by Broadcasting. Needed with it.
	// +optional
	Broadcasting *Broadcasting `json:"broadcasting,omitempty"`

	// startFrom is where a group begins that has no committed offset. An existing offset is never touched.
	// Default: Latest.
	// +optional
	// +default={"position":"Latest"}
	StartFrom StartFrom `json:"startFrom,omitzero"`

	// maxUncommitted bounds, per queue, the messages fetched and not yet committed: what a killed pod can cause to be handled twice.
	// Default: 256.
	// +optional
	// +default=256
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4096
	MaxUncommitted int32 `json:"maxUncommitted,omitempty"`
}

// StartFrom is where a group begins that has no committed offset.
// +union
// +kubebuilder:validation:XValidation:rule="self.position == 'Timestamp' ? has(self.timestamp) : !has(self.timestamp)",message="timestamp is given with position Timestamp, and only with it, for example timestamp: 2026-11-01T00:00:00Z"
type StartFrom struct {
	// position is Latest, Earliest or Timestamp.
	// +unionDiscriminator
	// +required
	Position StartPosition `json:"position,omitempty"`
	// timestamp is the broker's store time of the first message wanted.
	// +optional
	Timestamp *metav1.Time `json:"timestamp,omitempty"`
}

// Concurrency bounds the messages handled at once.
type Concurrency struct {
	// perPod is the number of messages one pod handles at once.
	// Default: 20.
	// +optional
	// +default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PerPod int32 `json:"perPod,omitempty"`
}

// MessageIdempotency says which messages are the same business event. The key that goes to the third party is
// base32(sha256(group ‖ business key ‖ step)).
type MessageIdempotency struct {
	// keyExpression is a CEL expression, of type string, for the business key. Unset: order id and event type if the message has both, else the
	// message's unique key, which stays the same over retries.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	KeyExpression string `json:"keyExpression,omitempty"`
}

// RetryPlan says how often and how long a message is tried before it becomes a dead letter. Between attempts it waits in the broker, for
// RocketMQ's delay levels: 10s, 30s, 1m, 2m, … 10m, 20m, 30m, 1h, 2h, or longer where the third party asked for it. With order Orderly it waits in its
// place: 1s, 2s, 4s, 8s, 16s, 30s, 30s, …, or as long as the third party asked for. Messages of its key wait with it; those of other keys do once
// consume.maxUncommitted messages of its queue lie beyond it. Attempts are then counted anew when its queue moves to another pod.
type RetryPlan struct {
	// maxAttempts counts the first attempt too.
	// Default: 16.
	// +optional
	// +default=16
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	MaxAttempts int32 `json:"maxAttempts,omitempty"`

	// maxDuration cuts the plan where its delays add up to this, 1s to 24h.
	// Default: 6h.
	// +optional
	// +default="6h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="retry.maxDuration lies between 1s and 24h: RocketMQ keeps messages for 72h by default and a retry has to end well before"
	MaxDuration metav1.Duration `json:"maxDuration,omitzero"`
}

// Expiry says when a message is too old to be of use. Wherever it waited counts: in the broker, for its next attempt, for a third party that was down.
type Expiry struct {
	// after is the age beyond which a message is not handled any more, at least 1s.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s')",message="expiry.after is at least 1s"
	After metav1.Duration `json:"after,omitzero"`
	// sinceExpression is a CEL expression, of type timestamp or RFC 3339 string, for the time from which age is counted, for example order.paidAt. Unset: when
	// the message was sent, by its sender's clock.
	// Default: message.bornTime.
	// +optional
	// +default="message.bornTime"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SinceExpression string `json:"sinceExpression,omitempty"`
}

// Scaling lets OrderFlow choose the number of pods from the lag.
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="minReplicas is at most maxReplicas"
type Scaling struct {
	// minReplicas is the least number of pods. With 0 the first message wakes one, which takes seconds.
	// Default: 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// maxReplicas is the most. More pods than the topic has queues would be idle.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxReplicas int32 `json:"maxReplicas,omitempty"`

	// targetDrainTime is the time in which a backlog should be worked off, 10s to 1h.
	// Default: 60s.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('1h')",message="targetDrainTime lies between 10s and 1h"
	TargetDrainTime metav1.Duration `json:"targetDrainTime,omitzero"`
}

// Workload holds settings of the pods.
type Workload struct {
	// image of the worker, of the operator's release. Unset: the one the operator was installed with. An older worker refuses configuration with
	// anything new in it, and its pods do not start: raise image when the operator is upgraded.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// imagePullSecrets for the image.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	ImagePullSecrets []LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// resources of the container. Unset: requests of 50m CPU and 64Mi memory, a memory limit of 256Mi and no CPU limit.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// terminationGracePeriod is how long calls in flight may take to end when a pod stops, 5s to 10m.
	// Default: 30s.
	// +optional
	// +default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('5s') && duration(self) <= duration('10m')",message="terminationGracePeriod lies between 5s and 10m"
	TerminationGracePeriod metav1.Duration `json:"terminationGracePeriod,omitzero"`

	// nodeSelector of the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// priorityClassName of the pods.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// podLabels are added to the pods. Labels of orderflow.dev and app.kubernetes.io stay OrderFlow's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 316 && !k.startsWith('orderflow.dev/') && !k.startsWith('app.kubernetes.io/'))",message="labels of orderflow.dev and app.kubernetes.io are set by OrderFlow: use another prefix"
	PodLabels map[string]string `json:"podLabels,omitempty"`

	// podAnnotations are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
}
