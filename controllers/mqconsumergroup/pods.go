// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// podsReady says how far a rollout is, and what keeps a pod from being ready.
func podsReady(d *appsv1.Deployment, pods []corev1.Pod) result.Result {
	wanted, status := wantedReplicas(d), d.Status
	if status.ObservedGeneration >= d.Generation && status.UpdatedReplicas == wanted && status.ReadyReplicas == wanted && status.Replicas == wanted {
		return result.Result{}
	}
	message := fmt.Sprintf("%d of %d pods are ready", status.ReadyReplicas, wanted)
	switch old := status.Replicas - status.UpdatedReplicas; {
	case status.ObservedGeneration < d.Generation:
		message += "; Kubernetes has not looked at the Deployment since it was changed"
	case old > 0:
		message += fmt.Sprintf("; up to date: %d, of before: %d", status.UpdatedReplicas, old)
	}
	for _, c := range status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			message += "; Kubernetes makes no pod: " + oneLine(c.Message)
		}
	}
	for i := range pods {
		if why := notReady(&pods[i]); why != "" {
			message += fmt.Sprintf("; pod %s: %s; kubectl describe and kubectl logs of the pod say more", pods[i].Name, why)
			break // one example; they are mostly alike
		}
	}
	return result.Wait(v1alpha1.ReasonPodsNotReady, lookAgain, "%s", message)
}

// notReady says why the pod is not ready, as far as Kubernetes and the pod's last words do.
func notReady(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		switch ended, before := c.State.Terminated, c.LastTerminationState.Terminated; {
		case ended != nil:
			return lastWords(ended)
		case c.State.Waiting != nil && before != nil:
			return reason(c.State.Waiting.Reason, c.State.Waiting.Message) + "; " + lastWords(before)
		case c.State.Waiting != nil:
			return reason(c.State.Waiting.Reason, c.State.Waiting.Message)
		case !c.Ready:
			return "it runs, but is not ready"
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return reason(c.Reason, c.Message)
		}
	}
	return ""
}

func lastWords(ended *corev1.ContainerStateTerminated) string {
	return reason(fmt.Sprintf("it ended with code %d (%s)", ended.ExitCode, ended.Reason), ended.Message)
}

func reason(what, message string) string {
	if message == "" {
		return what
	}
	return what + ": " + oneLine(message)
}

// oneLine is the text without line breaks, and of a long one the end: there a process says what it died of.
func oneLine(text string) string {
	const limit = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = "…" + strings.ToValidUTF8(text[len(text)-limit:], "")
	}
	return text
}
