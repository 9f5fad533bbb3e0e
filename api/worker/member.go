// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "strings"

// What a pod is told in its environment, since no file can know it.
const (
	// PodNameEnv holds the pod's name.
	PodNameEnv = "POD_NAME"
	// StructureNameEnv holds the name of the ConfigMap that is mounted as StructureFile; the pod reports it in SyncResponse.Structure.
	StructureNameEnv = "ORDERFLOW_STRUCTURE"
)

// slotSeparator begins the slot under which a consumer holds its queues; the consumption core appends it to the client id.
const slotSeparator = "#"

// ClientID is the RocketMQ client id of a pod: by it the operator tells the pods it started from members somebody else runs.
func ClientID(namespace, pod string) string { return namespace + "/" + pod }

// PodOfClientID returns the namespace and name of the pod a client id was made for, or false for the id of a foreign member.
func PodOfClientID(id string) (namespace, pod string, ok bool) {
	id, _, _ = strings.Cut(id, slotSeparator)
	namespace, pod, ok = strings.Cut(id, "/")
	if namespace == "" || pod == "" || strings.Contains(pod, "/") {
		return "", "", false
	}
	return namespace, pod, ok
}
