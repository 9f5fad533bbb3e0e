// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reserved are, for each field with a name on the broker, names that RocketMQ keeps for itself, and names beside them that anybody may have.
var reserved = map[string]struct {
	kind, sentence string
	own, free      []string
}{
	"spec.topic.name": {
		"OrderFlow", "this topic name is reserved by RocketMQ: choose another",
		[]string{
			"TBW102", "SCHEDULE_TOPIC_XXXX", "BenchmarkTest", "TRANS_CHECK_MAX_TIME_TOPIC", "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT", "CHECKPOINT_TOPIC",
			"DefaultHeartBeatSyncerTopic", "DefaultCluster", "DefaultCluster_REPLY_TOPIC", "orders_REPLY_TOPIC", "rmq_sys_wheel_timer", "rmq_sys_REVIVE_LOG_DefaultCluster",
			"RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC", "RMQ_SYS_TRACE_TOPIC",
		},
		[]string{"TBW103", "DefaultClusters", "REPLY_TOPIC_Orders", "RMQ_Orders", "Orders_rmq_sys_"},
	},
	"spec.producer.group": {
		"OrderFlow", "this producer group is reserved by RocketMQ: choose another",
		[]string{"DEFAULT_PRODUCER", "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP", "CID_RMQ_SYS_TRANS"},
		[]string{"DEFAULT_PRODUCERS", "CID_RMQ_SYSTEM"},
	},
	"spec.group": {
		"MQConsumerGroup", "this group name is reserved by RocketMQ: choose another",
		[]string{
			"DEFAULT_CONSUMER", "DEFAULT_PRODUCER", "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP", "TOOLS_CONSUMER", "SCHEDULE_CONSUMER", "FILTERSRV_CONSUMER",
			"__MONITOR_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_ONSAPI_PULL", "CID_RMQ_SYS_TRANS",
		},
		[]string{"TOOLS", "CID_ONS", "CID_RMQ_SYSTEM"},
	},
}

// testNames wants names refused that RocketMQ keeps for itself, and only those.
func testNames(t *testing.T, api *server) {
	for field, names := range reserved {
		write := func(name string) error {
			return api.Create(t.Context(), object(t, api.valid[names.kind], map[string]any{field: name}), client.DryRunAll, strict)
		}
		for _, name := range names.own {
			if err := write(name); err == nil || !strings.Contains(err.Error(), names.sentence) {
				t.Errorf("%s %s is to be refused with %q: %v", field, name, names.sentence, err)
			}
		}
		for _, name := range names.free {
			if err := write(name); err != nil {
				t.Errorf("%s %s is not RocketMQ's own: %v", field, name, err)
			}
		}
	}
}
