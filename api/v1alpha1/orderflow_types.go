// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OrderFlowSpec is one pipeline: the topic, how the order system sends to it, and who consumes it.
// +kubebuilder:validation:XValidation:rule="self.clusterRef == oldSelf.clusterRef",message="clusterRef cannot change: create a second OrderFlow on the other cluster and let the old one run empty"
// +kubebuilder:validation:XValidation:rule="self.topic.name == oldSelf.topic.name",message="topic.name cannot change: messages of the old topic would be left behind; create a second OrderFlow"
type OrderFlowSpec struct {
	// clusterRef names the MQCluster the topic lives on.
	// +required
	ClusterRef LocalObjectReference `json:"clusterRef,omitzero"`

	// topic is created on every master broker of the cluster and kept as declared.
	// +required
	Topic TopicSpec `json:"topic,omitzero"`

	// producer says how the order system sends. It becomes the producer-binding Secret the order system mounts.
	// +required
	Producer ProducerSpec `json:"producer,omitzero"`

	// consumers each become an MQConsumerGroup named `<flow>-<consumer>` that receives every message of the topic.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(other, other.group == c.group))",message="each consumer has a group of its own: consumers of one group would share the messages instead of each receiving every one"
	Consumers []FlowConsumer `json:"consumers,omitempty"`
}

// MessageType is RocketMQ's topic type: what may be done with the messages of the topic.
// +kubebuilder:validation:Enum=Normal;FIFO;Delay;Transaction
type MessageType string

const (
	// MessageNormal has no further property.
	MessageNormal MessageType = "Normal"
	// MessageFIFO is ordered within a sharding key.
	MessageFIFO MessageType = "FIFO"
	// MessageDelay may be delivered at a later time.
	MessageDelay MessageType = "Delay"
	// MessageTransaction is visible once its local transaction committed.
	MessageTransaction MessageType = "Transaction"
)

// TopicSpec declares a topic.
// +kubebuilder:validation:XValidation:rule="self.queuesPerBroker >= oldSelf.queuesPerBroker",message="queuesPerBroker can only grow: messages in a removed queue would never be read"
// +kubebuilder:validation:XValidation:rule="self.messageType == oldSelf.messageType",message="topic.messageType cannot change: brokers keep the type a topic was made with; create a second OrderFlow with another topic"
// +kubebuilder:validation:XValidation:rule="self.adoptionPolicy != 'Migrate'",message="a topic has no members to migrate: use adoptionPolicy Adopt to take over an existing topic"
type TopicSpec struct {
	// name of the topic: letters, digits, '_' and '-'.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="a topic name consists of letters, digits, '_' and '-'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['TBW102','SCHEDULE_TOPIC_XXXX','BenchmarkTest','TRANS_CHECK_MAX_TIME_TOPIC','SELF_TEST_TOPIC','OFFSET_MOVED_EVENT','CHECKPOINT_TOPIC','DefaultHeartBeatSyncerTopic','DefaultCluster']) && !self.matches('^(?i:rmq_sys_)|_REPLY_TOPIC$')",message="this topic name is reserved by RocketMQ: choose another"
	Name string `json:"name,omitempty"`

	// queuesPerBroker is the number of read and write queues on each master broker. At most this many pods of a group per broker
	// have work at once. It can grow, never shrink.
	// Default: 8.
	// +optional
	// +default=8
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	QueuesPerBroker int32 `json:"queuesPerBroker,omitempty"`

	// growthPolicy says whether queues may be added, on a new broker too, while an Orderly group of the topic has messages to handle. Keys move to other
	// queues then, so that two messages of one key may be handled out of order. Refuse: not before it has handled everything; TopicReady says
	// GrowthRefused until then. AcceptReorder: at once. What the order system sends while it takes up the new queues is not covered: pause it, if order
	// matters more. Default: Refuse.
	// +optional
	// +default="Refuse"
	GrowthPolicy GrowthPolicy `json:"growthPolicy,omitempty"`

	// permission says what clients may do with the topic. Read: consume what is there; clients find no queue to send to once they have seen the new
	// route, within 30 s, so that a topic runs empty. Write: send; nobody consumes: messages wait in the broker, and the topic's groups are Stalled with
	// reason TopicNotReadable. Default: ReadWrite.
	// +optional
	// +default="ReadWrite"
	Permission TopicPermission `json:"permission,omitempty"`

	// messageType is the type the topic is made with; it cannot change. Clients that send through RocketMQ's gRPC proxy must send messages of this type only;
	// others, runtime/producer among them, may send any. Consumers are not concerned.
	// Default: Normal.
	// +optional
	// +default="Normal"
	MessageType MessageType `json:"messageType,omitempty"`

	// deletionPolicy says what becomes of the topic when the OrderFlow is deleted. With Delete the OrderFlow stays, with a condition that
	// says why, while a group has not consumed everything.
	// Default: Retain.
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// adoptionPolicy says what to do with a topic of this name that was there before. Never: Conflict. Adopt: take it over; a topic with more
	// queues than declared keeps them.
	// Default: Never.
	// +optional
	// +default="Never"
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// expectTraffic says that messages always come, so that their absence is told: the condition NoTraffic, and an event. Unset: silence is no news.
	// +optional
	ExpectTraffic *TrafficExpectation `json:"expectTraffic,omitempty"`
}

// TrafficExpectation is how often messages come at least.
type TrafficExpectation struct {
	// within so long there is always a message, 1m to 168h: choose more than the longest silence of an ordinary night or weekend.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="topic.expectTraffic.within lies between 1m and 168h: choose more than the longest ordinary silence"
	Within metav1.Duration `json:"within,omitzero"`
}

// GrowthPolicy says whether more queues may cost order.
// +kubebuilder:validation:Enum=Refuse;AcceptReorder
type GrowthPolicy string

const (
	// GrowthRefuse adds queues only when no Orderly group has messages left.
	GrowthRefuse GrowthPolicy = "Refuse"
	// GrowthAcceptReorder adds queues at once.
	GrowthAcceptReorder GrowthPolicy = "AcceptReorder"
)

// TopicPermission is what clients may do with a topic.
// +kubebuilder:validation:Enum=ReadWrite;Read;Write
type TopicPermission string

const (
	// TopicReadWrite lets clients send and consume.
	TopicReadWrite TopicPermission = "ReadWrite"
	// TopicRead lets clients consume what is there: nothing new is taken.
	TopicRead TopicPermission = "Read"
	// TopicWrite lets clients send: nobody consumes.
	TopicWrite TopicPermission = "Write"
)

// SendMode is how the order system waits for the broker.
// +kubebuilder:validation:Enum=Sync;Async;Oneway
type SendMode string

const (
	// SendSync waits for the broker's OK: nothing is lost, each payment waits one round trip.
	SendSync SendMode = "Sync"
	// SendAsync goes on at once and is told success or exception by a callback.
	SendAsync SendMode = "Async"
	// SendOneway goes on at once and is told nothing: messages can be lost without anyone knowing.
	SendOneway SendMode = "Oneway"
)

// ProducerSpec says how the order system sends.
// +kubebuilder:validation:XValidation:rule="self.asyncRetries == 0 || self.sendMode == 'Async'",message="producer.asyncRetries is used with sendMode Async only: remove it, or send with Async"
type ProducerSpec struct {
	// group is the producer group.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="a producer group consists of letters, digits, '_' and '-'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['DEFAULT_PRODUCER','CLIENT_INNER_PRODUCER','SELF_TEST_P_GROUP']) && !self.startsWith('CID_RMQ_SYS_')",message="this producer group is reserved by RocketMQ: choose another"
	Group string `json:"group,omitempty"`

	// sendMode is Sync, Async or Oneway.
	// Default: Sync.
	// +optional
	// +default="Sync"
	SendMode SendMode `json:"sendMode,omitempty"`

	// sendTimeout bounds one try to send, 100ms to 30s.
	// Default: 3s.
	// +optional
	// +default="3s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('30s')",message="sendTimeout lies between 100ms and 30s"
	SendTimeout metav1.Duration `json:"sendTimeout,omitzero"`

	// asyncRetries is how often the client sends again after an asynchronous failure. A retry can send the message twice.
	// Default: 0.
	// +optional
	// +default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	AsyncRetries int32 `json:"asyncRetries,omitempty"`

	// bindingSecretName is the Secret OrderFlow writes for the order system to mount. Unset: `<flow>-producer`.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="bindingSecretName is the name of a Secret: lower-case letters, digits, '-' and '.'"
	BindingSecretName string `json:"bindingSecretName,omitempty"`
}

// FlowConsumer is one consumer of the flow's topic, written inline.
type FlowConsumer struct {
	// name of the consumer within the flow.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a consumer name consists of lower-case letters, digits and '-'"
	Name string `json:"name,omitempty"`

	ConsumerTemplate `json:",inline"`
}

// FlowConsumerStatus is a short view of one consumer; its MQConsumerGroup has the whole.
type FlowConsumerStatus struct {
	// name of the consumer within the flow.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	Name string `json:"name,omitempty"`
	// groupName is the name of the MQConsumerGroup.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	GroupName string `json:"groupName,omitempty"`
	// ready is the status of the group's Ready condition.
	// +required
	Ready metav1.ConditionStatus `json:"ready,omitempty"`
	// reason of the group's Ready condition.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// lag is the number of messages the group has yet to handle, retries included. Unset: unknown.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Lag *int64 `json:"lag,omitempty"`
	// readyReplicas is the number of ready pods.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
}

// BrokerQueues is how many queues of a topic take messages at one broker.
type BrokerQueues struct {
	// broker is the name of the master.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Broker string `json:"broker,omitempty"`
	// queues is the number of write queues.
	// +required
	// +kubebuilder:validation:Minimum=1
	Queues int32 `json:"queues,omitempty"`
}

// TopicStatus is the topic as every master broker reported it.
type TopicStatus struct {
	// brokers is the number of master brokers on which the topic was read back as declared.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Brokers int32 `json:"brokers,omitempty"`
	// queues is the number of read queues over all master brokers.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Queues int32 `json:"queues,omitempty"`
	// clusterIdentity is the identity of the physical cluster on which this object made or adopted the topic.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ClusterIdentity string `json:"clusterIdentity,omitempty"`
	// orderQueues are the queues over which order keys are spread, of all master brokers, as they last were there together. It does not become
	// shorter while a broker is away, and the producer-binding Secret carries it as order-queues: so no producer that starts meanwhile moves a key.
	// It grows with the topic and the cluster, which moves keys. A broker leaves it only when the MQCluster has forgotten it.
	// +optional
	// +listType=map
	// +listMapKey=broker
	// +kubebuilder:validation:MaxItems=256
	OrderQueues []BrokerQueues `json:"orderQueues,omitempty"`
	// lastVerifiedTime is when the topic was read back from all master brokers, as of the last change of anything else in the status. It is verified
	// again every few minutes; the operator's metric orderflow_verified_timestamp_seconds has the last time.
	// +optional
	LastVerifiedTime *metav1.Time `json:"lastVerifiedTime,omitempty"`
}

// OrderFlowStatus is what was last seen of the pipeline.
type OrderFlowStatus struct {
	// conditions are Ready, Reconciling, Stalled, TopicReady, ConsumersReady and, with spec.topic.expectTraffic, NoTraffic; the reasons are listed with the constants of this API.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec this status speaks of. -1: nobody has looked at the object yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the annotation orderflow.dev/reconcile-at that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// topic as the brokers report it.
	// +optional
	Topic *TopicStatus `json:"topic,omitempty"`

	// binding names the Secret the order system mounts (Service Binding's ProvisionedService duck type).
	// +optional
	Binding *LocalObjectReference `json:"binding,omitempty"`

	// readyConsumers counts the consumers that are Ready, of all: "3/4".
	// +optional
	// +kubebuilder:validation:MaxLength=8
	ReadyConsumers string `json:"readyConsumers,omitempty"`

	// consumers are listed in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Consumers []FlowConsumerStatus `json:"consumers,omitempty"`
}

// OrderFlow declares one pipeline from the order system to its third parties: the topic, how the order system sends, and the consumers. It
// owns the topic on the broker, one MQConsumerGroup per consumer, and the producer-binding Secret.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=of,categories=orderflow-dev
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Topic",type=string,JSONPath=`.spec.topic.name`
// +kubebuilder:printcolumn:name="Queues",type=integer,JSONPath=`.status.topic.queues`
// +kubebuilder:printcolumn:name="Consumers",type=string,JSONPath=`.status.readyConsumers`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of an OrderFlow has at most 40 characters: lower-case letters, digits and '-'; the names of its groups are made from it"
type OrderFlow struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is wanted.
	// +required
	Spec OrderFlowSpec `json:"spec,omitzero"`
	// status is what was seen.
	// +optional
	// +default={"observedGeneration":-1}
	// +structType=atomic
	Status OrderFlowStatus `json:"status,omitzero"`
}

// OrderFlowList is a list of OrderFlows.
// +kubebuilder:object:root=true
type OrderFlowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []OrderFlow `json:"items"`
}
