// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "strings"

// PodNameEnv holds the pod's name in its environment: no file can know it, and a host name is cut at 63 characters.
const PodNameEnv = "POD_NAME"

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
