// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "strconv"

// Op is the code of a request: what the peer is asked to do. The numbers and
// the names are RocketMQ's own (RequestCode).
type Op int

// The requests this package sends, answers or fakes.
const (
	OpPull              Op = 11
	OpQueryOffset       Op = 14
	OpCommitOffset      Op = 15
	OpPutTopic          Op = 17
	OpBrokerConfig      Op = 26
	OpBrokerRuntime     Op = 28
	OpSearchOffset      Op = 29
	OpMaxOffset         Op = 30
	OpMinOffset         Op = 31
	OpHeartbeat         Op = 34
	OpUnregister        Op = 35
	OpSendBack          Op = 36
	OpEndTransaction    Op = 37
	OpMembers           Op = 38
	OpCheckTransaction  Op = 39
	OpNotifyMembers     Op = 40
	OpLock              Op = 41
	OpUnlock            Op = 42
	OpAllOffsets        Op = 43
	OpDelayOffsets      Op = 45
	OpCheckSubscription Op = 46
	OpRoute             Op = 105
	OpClusterInfo       Op = 106
	OpPutGroup          Op = 200
	OpAllGroups         Op = 201
	OpTopicStats        Op = 202
	OpConnections       Op = 203
	OpTopicNames        Op = 206
	OpDeleteGroup       Op = 207
	OpConsumeStats      Op = 208
	OpDeleteTopic       Op = 215
	OpDeleteRoute       Op = 216
	OpResetClientOffset Op = 220
	OpClientStatus      Op = 221
	OpRunningInfo       Op = 307
	OpConsumeDirectly   Op = 309
	OpSend              Op = 310
	OpSendBatch         Op = 320
	OpTopicConfig       Op = 351
	OpGroupConfig       Op = 352
)

// String returns RocketMQ's name of the request, or its number.
func (o Op) String() string {
	if name, ok := opNames[o]; ok {
		return name
	}
	return "REQUEST_" + strconv.Itoa(int(o))
}

var opNames = map[Op]string{
	OpPull:              "PULL_MESSAGE",
	OpQueryOffset:       "QUERY_CONSUMER_OFFSET",
	OpCommitOffset:      "UPDATE_CONSUMER_OFFSET",
	OpPutTopic:          "UPDATE_AND_CREATE_TOPIC",
	OpBrokerConfig:      "GET_BROKER_CONFIG",
	OpBrokerRuntime:     "GET_BROKER_RUNTIME_INFO",
	OpSearchOffset:      "SEARCH_OFFSET_BY_TIMESTAMP",
	OpMaxOffset:         "GET_MAX_OFFSET",
	OpMinOffset:         "GET_MIN_OFFSET",
	OpHeartbeat:         "HEART_BEAT",
	OpUnregister:        "UNREGISTER_CLIENT",
	OpSendBack:          "CONSUMER_SEND_MSG_BACK",
	OpEndTransaction:    "END_TRANSACTION",
	OpCheckTransaction:  "CHECK_TRANSACTION_STATE",
	OpMembers:           "GET_CONSUMER_LIST_BY_GROUP",
	OpNotifyMembers:     "NOTIFY_CONSUMER_IDS_CHANGED",
	OpLock:              "LOCK_BATCH_MQ",
	OpUnlock:            "UNLOCK_BATCH_MQ",
	OpAllOffsets:        "GET_ALL_CONSUMER_OFFSET",
	OpDelayOffsets:      "GET_ALL_DELAY_OFFSET",
	OpCheckSubscription: "CHECK_CLIENT_CONFIG",
	OpRoute:             "GET_ROUTEINFO_BY_TOPIC",
	OpClusterInfo:       "GET_BROKER_CLUSTER_INFO",
	OpPutGroup:          "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP",
	OpAllGroups:         "GET_ALL_SUBSCRIPTIONGROUP_CONFIG",
	OpTopicStats:        "GET_TOPIC_STATS_INFO",
	OpConnections:       "GET_CONSUMER_CONNECTION_LIST",
	OpTopicNames:        "GET_ALL_TOPIC_LIST_FROM_NAMESERVER",
	OpDeleteGroup:       "DELETE_SUBSCRIPTIONGROUP",
	OpConsumeStats:      "GET_CONSUME_STATS",
	OpDeleteTopic:       "DELETE_TOPIC_IN_BROKER",
	OpDeleteRoute:       "DELETE_TOPIC_IN_NAMESRV",
	OpResetClientOffset: "RESET_CONSUMER_CLIENT_OFFSET",
	OpClientStatus:      "GET_CONSUMER_STATUS_FROM_CLIENT",
	OpRunningInfo:       "GET_CONSUMER_RUNNING_INFO",
	OpConsumeDirectly:   "CONSUME_MESSAGE_DIRECTLY",
	OpSend:              "SEND_MESSAGE_V2",
	OpSendBatch:         "SEND_BATCH_MESSAGE",
	OpTopicConfig:       "GET_TOPIC_CONFIG",
	OpGroupConfig:       "GET_SUBSCRIPTIONGROUP_CONFIG",
}

// repeatable reports whether doing the request twice has the effect of doing
// it once, so that it may be sent again when its connection turns out to have
// been dead. Sending a message, sending one back, or committing one is not: the
// broker may have stored it although its reply was lost.
func (o Op) repeatable() bool {
	switch o {
	case OpSend, OpSendBatch, OpSendBack, OpEndTransaction:
		return false
	}
	_, known := opNames[o]
	return known
}

// Code is the code of a reply. The numbers and the names are RocketMQ's own
// (ResponseCode).
type Code int

// The reply codes this package tells apart; any other is an [ErrRefused].
const (
	CodeOK                  Code = 0
	CodeSystemError         Code = 1
	CodeSystemBusy          Code = 2
	CodeNotSupported        Code = 3
	CodeFlushDiskTimeout    Code = 10
	CodeReplicaNotAvailable Code = 11
	CodeFlushReplicaTimeout Code = 12
	CodeMessageIllegal      Code = 13
	CodeServiceNotAvailable Code = 14
	CodeNoPermission        Code = 16
	CodeTopicNotExist       Code = 17
	CodePullNotFound        Code = 19
	CodePullRetry           Code = 20
	CodeOffsetMoved         Code = 21
	CodeQueryNotFound       Code = 22
	CodeSubscriptionInvalid Code = 23
	CodeSubscriptionMissing Code = 24
	CodeSubscriptionStale   Code = 25
	CodeGroupNotExist       Code = 26
	CodeFilterMissing       Code = 27
	CodeFilterStale         Code = 28
	CodeInvalidParameter    Code = 29
	CodeConsumerNotOnline   Code = 206
	CodeConsumeTimeout      Code = 207
	CodeFlowControl         Code = 215
	CodeGoAway              Code = 1500
)

// String returns RocketMQ's name of the code, or its number.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return "CODE_" + strconv.Itoa(int(c))
}

var codeNames = map[Code]string{
	CodeOK:                  "SUCCESS",
	CodeSystemError:         "SYSTEM_ERROR",
	CodeSystemBusy:          "SYSTEM_BUSY",
	CodeNotSupported:        "REQUEST_CODE_NOT_SUPPORTED",
	CodeFlushDiskTimeout:    "FLUSH_DISK_TIMEOUT",
	CodeReplicaNotAvailable: "SLAVE_NOT_AVAILABLE",
	CodeFlushReplicaTimeout: "FLUSH_SLAVE_TIMEOUT",
	CodeMessageIllegal:      "MESSAGE_ILLEGAL",
	CodeServiceNotAvailable: "SERVICE_NOT_AVAILABLE",
	CodeNoPermission:        "NO_PERMISSION",
	CodeTopicNotExist:       "TOPIC_NOT_EXIST",
	CodePullNotFound:        "PULL_NOT_FOUND",
	CodePullRetry:           "PULL_RETRY_IMMEDIATELY",
	CodeOffsetMoved:         "PULL_OFFSET_MOVED",
	CodeQueryNotFound:       "QUERY_NOT_FOUND",
	CodeSubscriptionInvalid: "SUBSCRIPTION_PARSE_FAILED",
	CodeSubscriptionMissing: "SUBSCRIPTION_NOT_EXIST",
	CodeSubscriptionStale:   "SUBSCRIPTION_NOT_LATEST",
	CodeGroupNotExist:       "SUBSCRIPTION_GROUP_NOT_EXIST",
	CodeFilterMissing:       "FILTER_DATA_NOT_EXIST",
	CodeFilterStale:         "FILTER_DATA_NOT_LATEST",
	CodeInvalidParameter:    "INVALID_PARAMETER",
	CodeConsumerNotOnline:   "CONSUMER_NOT_ONLINE",
	CodeConsumeTimeout:      "CONSUME_MSG_TIMEOUT",
	CodeFlowControl:         "FLOW_CONTROL",
	CodeGoAway:              "GO_AWAY",
}
