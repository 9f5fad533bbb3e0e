// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Types of conditions. Ready, Reconciling and Stalled follow kstatus: Reconciling and Stalled are True while something is amiss.
const (
	// ConditionReady sums the others up: the object does what it declares.
	ConditionReady = "Ready"
	// ConditionReconciling is True while OrderFlow is on its way there and needs nobody's help.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when somebody has to change something first.
	ConditionStalled = "Stalled"

	// ConditionTopicReady (OrderFlow): the topic was read back as declared from every master broker.
	ConditionTopicReady = "TopicReady"
	// ConditionBrokerSettings (MQCluster): the master brokers are configured so that everything can be declared, and nothing is made by mistake. It
	// is told, and keeps nothing from being Ready.
	ConditionBrokerSettings = "BrokerSettings"

	// ConditionConsumersReady (OrderFlow): every MQConsumerGroup is Ready.
	ConditionConsumersReady = "ConsumersReady"

	// ConditionBrokerReady (MQConsumerGroup): group and retry topic were read back from every master broker, and every queue has an offset.
	ConditionBrokerReady = "BrokerReady"
	// ConditionWorkloadReady (MQConsumerGroup): the wanted number of pods is ready, of the wanted structure.
	ConditionWorkloadReady = "WorkloadReady"
	// ConditionConfigCurrent (MQConsumerGroup): every pod reported that it has loaded the current limits.
	ConditionConfigCurrent = "ConfigCurrent"
	// ConditionForeignConsumers (MQConsumerGroup): members are online that OrderFlow did not start.
	ConditionForeignConsumers = "ForeignConsumers"
	// ConditionThirdPartyDown (MQConsumerGroup, ThirdPartyAdapter): a circuit is open; messages wait in the broker.
	ConditionThirdPartyDown = "ThirdPartyDown"
	// ConditionCertificateExpiring (ThirdPartyAdapter with auth type MTLS): the client certificate ends soon, or has ended.
	ConditionCertificateExpiring = "CertificateExpiring"
	// ConditionParked (MQConsumerGroup): pods hand out no message, or hold queues back; the reason says why.
	ConditionParked = "Parked"
	// ConditionOrderViolatedUpstream (MQConsumerGroup): messages of one order key came in two queues, so that their order cannot be kept.
	ConditionOrderViolatedUpstream = "OrderViolatedUpstream"
	// ConditionDrained (MQConsumerGroup, ThirdPartyAdapter; only while suspended): nothing is in flight in any pod, what is done is committed, and no message waits in a delay
	// level of a broker for its next attempt.
	ConditionDrained = "Drained"
	// ConditionQueueStuck (MQConsumerGroup): pods hand messages out, and in a queue none is finished while others come behind it.
	ConditionQueueStuck = "QueueStuck"
	// ConditionRetentionAtRisk (MQConsumerGroup): a broker is about to delete messages, retries or dead letters that nobody has handled.
	ConditionRetentionAtRisk = "RetentionAtRisk"
	// ConditionNoTraffic (OrderFlow with topic.expectTraffic): no message came for longer than expected.
	ConditionNoTraffic = "NoTraffic"
	// ConditionScaling (MQConsumerGroup): the number of pods follows the lag; False says what holds it.
	ConditionScaling = "Scaling"
)

// Reasons of Ready=True, and of conditions that are as they should be.
const (
	// ReasonReady: all is as declared.
	ReasonReady = "Ready"
	// ReasonProgressing: on the way; the message says what is awaited.
	ReasonProgressing = "Progressing"
	// ReasonNotRead: something could not be read, so it is not known.
	ReasonNotRead = "NotRead"
	// ReasonDeleting: the object is being deleted.
	ReasonDeleting = "Deleting"
)

// Reasons of QueueStuck.
const (
	// ReasonQueueStandsStill: the group's position in a queue has not moved for minutes.
	ReasonQueueStandsStill = "QueueStandsStill"
	// ReasonQueuesMove: positions move wherever messages wait.
	ReasonQueuesMove = "QueuesMove"
)

// Reasons of RetentionAtRisk.
const (
	// ReasonMessagesExpiring: messages that wait are near the end of their broker's retention.
	ReasonMessagesExpiring = "MessagesExpiring"
	// ReasonDeadLettersExpiring: dead letters are, and no replay has gone through them.
	ReasonDeadLettersExpiring = "DeadLettersExpiring"
	// ReasonDiskFull: a broker's disk is so full that it deletes files before their time, and messages on it wait.
	ReasonDiskFull = "DiskFull"
	// ReasonRetentionSuffices: all that waits has time.
	ReasonRetentionSuffices = "RetentionSuffices"
)

// Reasons of NoTraffic.
const (
	// ReasonTopicSilent: no message came for longer than topic.expectTraffic.within.
	ReasonTopicSilent = "TopicSilent"
	// ReasonMessagesCome: one came within that time.
	ReasonMessagesCome = "MessagesCome"
)

// Reasons of OrderViolatedUpstream.
const (
	// ReasonKeyInTwoQueues: the producer does not send a key always to the same queue, or queues were added.
	ReasonKeyInTwoQueues = "KeyInTwoQueues"
	// ReasonOrderKept: no pod has seen a key in two queues lately.
	ReasonOrderKept = "OrderKept"
	// ReasonNotOrderly: the group keeps no order.
	ReasonNotOrderly = "NotOrderly"
)

// Reasons concerning a reference. Stalled, since somebody has to create or correct the other object.
const (
	// ReasonClusterNotFound: clusterRef names no MQCluster.
	ReasonClusterNotFound = "ClusterNotFound"
	// ReasonClusterNotReady: the MQCluster is there but not Ready. Waiting, not stalled.
	ReasonClusterNotReady = "ClusterNotReady"
	// ReasonAdapterNotFound: an adapterRef names no ThirdPartyAdapter.
	ReasonAdapterNotFound = "AdapterNotFound"
	// ReasonAdapterNotReady: the ThirdPartyAdapter is Stalled.
	ReasonAdapterNotReady = "AdapterNotReady"
	// ReasonSecretNotFound: a secretRef names no Secret.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyMissing: the Secret lacks a key, or it is empty.
	ReasonSecretKeyMissing = "SecretKeyMissing"
	// ReasonSecretNotAllowed: the Secret is not labelled as a credential, or not for this host.
	ReasonSecretNotAllowed = "SecretNotAllowed"
	// ReasonCertificateUnusable: a Secret's certificate cannot be read, does not fit its key, has ended, or has not begun.
	ReasonCertificateUnusable = "CertificateUnusable"
	// ReasonInvalidExpression: a CEL expression does not compile, has the wrong type, or costs too much.
	ReasonInvalidExpression = "InvalidExpression"
	// ReasonUnsafeSteps: a step other than the last calls a third party that ignores idempotency keys, and cannot be asked what became of a request.
	ReasonUnsafeSteps = "UnsafeSteps"
	// ReasonTooFewQueues: the topic has fewer queues than maxReplicas or replicas.
	ReasonTooFewQueues = "TooFewQueues"
)

// Reasons concerning the RocketMQ cluster.
const (
	// ReasonNameServerUnreachable: no name server answered.
	ReasonNameServerUnreachable = "NameServerUnreachable"
	// ReasonBrokerUnreachable: a master broker did not answer.
	ReasonBrokerUnreachable = "BrokerUnreachable"
	// ReasonSeveralClusters: the name servers serve more than one RocketMQ cluster.
	ReasonSeveralClusters = "SeveralClusters"
	// ReasonNoMaster: the name server knows no master broker.
	ReasonNoMaster = "NoMaster"
	// ReasonCertificateRefused: the certificate of a name server or broker cannot be verified: it is of an authority that is not trusted, for another name,
	// or has ended. Nothing was sent there.
	ReasonCertificateRefused = "CertificateRefused"
	// ReasonPermissionDenied: the broker refused the access key, or the key may not do this.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonBrokerRefused: the broker refused for another reason.
	ReasonBrokerRefused = "BrokerRefused"
)

// Reasons of BrokerSettings.
const (
	// ReasonSettingsFit: no master broker has anything on or off that is in the way.
	ReasonSettingsFit = "SettingsFit"
	// ReasonSettingsLimit: a master broker has a feature off, or creates topics or groups by itself; the message says which, and what follows.
	ReasonSettingsLimit = "SettingsLimit"
)

// Reasons concerning topic and group on the broker.
const (
	// ReasonTopicNotFound: the topic does not exist on the cluster.
	ReasonTopicNotFound = "TopicNotFound"
	// ReasonTopicNotReadable: the OrderFlow of the topic has permission Write, so that nobody consumes.
	ReasonTopicNotReadable = "TopicNotReadable"
	// ReasonGrowthRefused: queues are to be added and growthPolicy is Refuse, while an Orderly group has messages to handle.
	ReasonGrowthRefused = "GrowthRefused"
	// ReasonTopicMismatch: the topic exists with another shape than declared, and cannot be corrected.
	ReasonTopicMismatch = "TopicMismatch"
	// ReasonFilterDisabled: a subscription is of type SQL92, and a broker has enablePropertyFilter off.
	ReasonFilterDisabled = "FilterDisabled"
	// ReasonInvalidSubscription: a broker cannot read the SQL92 expression of a subscription.
	ReasonInvalidSubscription = "InvalidSubscription"
	// ReasonAlreadyExists: topic or group was there before and was not made by this object.
	ReasonAlreadyExists = "AlreadyExists"
	// ReasonNameReserved: RocketMQ keeps the topic for itself.
	ReasonNameReserved = "NameReserved"
	// ReasonConflict: another object declares the same topic or group on the same physical cluster, and is older.
	ReasonConflict = "Conflict"
	// ReasonForeignConsumersOnline: members that OrderFlow did not start are online; with adoptionPolicy Adopt, adoption waits until they have left.
	ReasonForeignConsumersOnline = "ForeignConsumersOnline"
	// ReasonSubscriptionMismatch: members that OrderFlow did not start want other messages than the object declares, so that its pods cannot join beside them.
	ReasonSubscriptionMismatch = "SubscriptionMismatch"
	// ReasonPartlyApplied: some master brokers were written, others not.
	ReasonPartlyApplied = "PartlyApplied"
	// ReasonMessagesLost: a broker deleted messages before the group had read them, and nobody has taken note of it yet.
	ReasonMessagesLost = "MessagesLost"
	// ReasonOffsetsNotSeeded: a queue has no start offset yet, so no pod may begin.
	ReasonOffsetsNotSeeded = "OffsetsNotSeeded"
	// ReasonMessagesUnconsumed: deletion waits until every message has been consumed.
	ReasonMessagesUnconsumed = "MessagesUnconsumed"
)

// Reasons concerning the pods.
const (
	// ReasonPodsNotReady: fewer pods are ready than wanted.
	ReasonPodsNotReady = "PodsNotReady"
	// ReasonScaledToZero: no pod is wanted.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonPodsNotAnswering: a pod did not answer the sync call.
	ReasonPodsNotAnswering = "PodsNotAnswering"
	// ReasonConfigOutdated: a pod runs with older limits.
	ReasonConfigOutdated = "ConfigOutdated"
	// ReasonApplyFailed: the API server refused an object OrderFlow applies.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonBindingSecretTaken: the Secret named by producer.bindingSecretName belongs to somebody else.
	ReasonBindingSecretTaken = "BindingSecretTaken"
	// ReasonGroupNotReady: an MQConsumerGroup of the flow is not Ready.
	ReasonGroupNotReady = "GroupNotReady"
	// ReasonGroupNameTaken: an MQConsumerGroup of the wanted name exists and does not belong to the flow.
	ReasonGroupNameTaken = "GroupNameTaken"
)

// Reasons why pods are parked, beside CircuitOpen and OffsetsNotSeeded, and of an adapter whose pods are. Messages wait in the broker meanwhile. "Stalled"
// is said of groups; an adapter waits, since groups do not replace their pods while one is stalled.
const (
	// ReasonNotParked: every pod that answered hands messages out.
	ReasonNotParked = "NotParked"
	// ReasonProbeFailing: the group has one message left to look for the third party's return with, and that fails again and again: it may be at fault itself.
	ReasonProbeFailing = "ProbeFailing"
	// ReasonRateLimited: the account's limit admits no more requests at the moment.
	ReasonRateLimited = "RateLimited"
	// ReasonAddressRefused: the adapter's URL leads to an address that third parties may not have. Stalled.
	ReasonAddressRefused = "AddressRefused"
	// ReasonNothingThere: the third party answers 404 or 405 to all requests of a step: a URL or path is wrong. Stalled.
	ReasonNothingThere = "NothingThere"
	// ReasonCredentialMissing: the pods do not find the adapter's Secret, or a key in it. Stalled.
	ReasonCredentialMissing = "CredentialMissing"
	// ReasonCredentialRefused: the third party does not take the account's credential.
	ReasonCredentialRefused = "CredentialRefused"
	// ReasonTokenUnavailable: the token endpoint of spec.auth.oauth2 gives no token.
	ReasonTokenUnavailable = "TokenUnavailable"
	// ReasonAccountRefused: the third party refuses the account, as a response rule with the outcome Park says.
	ReasonAccountRefused = "AccountRefused"
	// ReasonDeadLetterRefused: a broker does not take a dead letter, so its queue waits.
	ReasonDeadLetterRefused = "DeadLetterRefused"
)

// Reasons concerning a suspension.
const (
	// ReasonSuspended: spec.suspend of the MQConsumerGroup is true. Parked.
	ReasonSuspended = "Suspended"
	// ReasonAdapterSuspended: spec.suspend of a ThirdPartyAdapter that the group calls is true. Parked.
	ReasonAdapterSuspended = "AdapterSuspended"
	// ReasonDrained: nothing runs, and nothing is about to come.
	ReasonDrained = "Drained"
	// ReasonInFlight: messages are being handled yet, or a pod has not taken the suspension over.
	ReasonInFlight = "InFlight"
	// ReasonOffsetsNotCommitted: messages are done, and would be handled again if their pod ended.
	ReasonOffsetsNotCommitted = "OffsetsNotCommitted"
	// ReasonRetriesPending: messages wait in a delay level of a broker; the message says until when.
	ReasonRetriesPending = "RetriesPending"
	// ReasonDrainDeadlineExceeded: the group is not drained, and drainDeadline has passed.
	ReasonDrainDeadlineExceeded = "DrainDeadlineExceeded"
	// ReasonGroupNotDrained: a group that uses the ThirdPartyAdapter is not drained.
	ReasonGroupNotDrained = "GroupNotDrained"
)

// Reasons of a DeadLetterReplay that is not done.
const (
	// ReasonReplaying: dead letters are looked at and given back.
	ReasonReplaying = "Replaying"
	// ReasonReplayPaused: a third party of the group is not known to work, so nothing is given back.
	ReasonReplayPaused = "ReplayPaused"
	// ReasonReplaySuspended: spec.suspend is true.
	ReasonReplaySuspended = "ReplaySuspended"
	// ReasonReplayQueued: an older replay of the group is not done.
	ReasonReplayQueued = "ReplayQueued"
	// ReasonRecordLost: of what was replayed, or of what an earlier replay did, the outcomes are gone or were changed. Stalled.
	ReasonRecordLost = "RecordLost"
	// ReasonGroupNotFound: groupRef names no MQConsumerGroup. Stalled.
	ReasonGroupNotFound = "GroupNotFound"
)

// Reasons concerning third parties and scaling.
const (
	// ReasonCircuitOpen: the circuit is open in at least one pod.
	ReasonCircuitOpen = "CircuitOpen"
	// ReasonCircuitClosed: requests flow.
	ReasonCircuitClosed = "CircuitClosed"
	// ReasonCertificateEnds: the client certificate ends soon.
	ReasonCertificateEnds = "CertificateEnds"
	// ReasonCertificateLasts: the client certificate does not end soon.
	ReasonCertificateLasts = "CertificateLasts"
	// ReasonUnused: no group refers to the adapter.
	ReasonUnused = "Unused"
	// ReasonNoForeignConsumers: all members online were started by OrderFlow.
	ReasonNoForeignConsumers = "NoForeignConsumers"
)
