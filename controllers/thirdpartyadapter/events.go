// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
)

// record sends events for what changed: Ready, a third party that went down or came back, a client certificate that is to be renewed, and a suspended
// adapter whose groups are drained, or are not in time.
func (r *Reconciler) record(adapter *v1alpha1.ThirdPartyAdapter, changed []condition.Transition) {
	condition.RecordReady(r.Recorder, adapter, adapter.Status.Conditions, changed)
	for _, t := range changed {
		switch {
		case t.New.Type == v1alpha1.ConditionCertificateExpiring && t.New.Status == metav1.ConditionTrue:
			condition.Event(r.Recorder, adapter, corev1.EventTypeWarning, t.New.Reason, t.New.Message)
		case t.New.Type == v1alpha1.ConditionDrained && t.New.Status == metav1.ConditionTrue:
			condition.Event(r.Recorder, adapter, corev1.EventTypeNormal, t.New.Reason, t.New.Message)
		case t.New.Type == v1alpha1.ConditionDrained && t.New.Reason == v1alpha1.ReasonDrainDeadlineExceeded:
			condition.Event(r.Recorder, adapter, corev1.EventTypeWarning, t.New.Reason, t.New.Message)
		case t.New.Type != v1alpha1.ConditionThirdPartyDown:
		case t.New.Status == metav1.ConditionTrue:
			condition.Event(r.Recorder, adapter, corev1.EventTypeWarning, t.New.Reason, t.New.Message)
		case t.New.Status == metav1.ConditionFalse && t.Old.Status == metav1.ConditionTrue:
			condition.Event(r.Recorder, adapter, corev1.EventTypeNormal, t.New.Reason, t.New.Message)
		}
	}
}
