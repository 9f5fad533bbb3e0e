// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/contract"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/expression"
)

// recent is how old an error may be that says what is wrong now. Pods try again every 5 s while a message waits.
const recent = time.Minute

// check says what keeps the adapter from being used: its Secrets, what pods found wrong with it, then its expressions.
func check(adapter *v1alpha1.ThirdPartyAdapter, seen facts, now time.Time) []result.Result {
	wrong := foundWrong(adapter.Name, seen.reports, now)
	if wrong.IsDone() && seen.unheard {
		wrong = foundBefore(adapter)
	}
	results := append(seen.secrets, wrong)
	for _, e := range contract.Adapter(adapter).Expressions() {
		if _, err := expression.Compile(e); err != nil {
			results = append(results, result.Stall(v1alpha1.ReasonInvalidExpression, "spec.%v", err))
		}
	}
	return results
}

// foundWrong is the latest of what the pods report that only a person can put right. It waits and does not stall: groups do not replace their pods
// while an adapter is stalled, and the pods of the adapter as it was would report the same for ever.
func foundWrong(adapter string, reports []workersync.Report, now time.Time) result.Result {
	var wrong result.Result
	var latest time.Time
	for _, seen := range of(adapter, reports) {
		reason, detail, _ := strings.Cut(seen.LastError, ": ")
		cure := cures[reason]
		if at := seen.LastErrorTime; cure != "" && at != nil && at.After(latest) && standing(reason, seen.Circuit, now.Sub(*at)) {
			latest, wrong = *at, result.Wait(reason, interval, "pods cannot call the third party: %s: %s", detail, cure)
		}
	}
	return wrong
}

// foundBefore is what foundWrong has found for an operator before this one, which has not asked all pods yet.
func foundBefore(adapter *v1alpha1.ThirdPartyAdapter) result.Result {
	ready := meta.FindStatusCondition(adapter.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue || ready.ObservedGeneration != adapter.Generation || cures[ready.Reason] == "" {
		return result.Result{}
	}
	return result.Wait(ready.Reason, interval, "%s", ready.Message)
}

// standing says whether an error of that age still is the case. A single refusal by a third party that takes other requests, and so keeps the circuit
// closed, is not about the adapter.
func standing(reason string, circuit worker.Circuit, age time.Duration) bool {
	return circuit != worker.CircuitClosed || age < recent && reason != worker.ReasonCredentialRefused
}

// cures are what to do about the errors of pods that are about the adapter, not about the third party.
var cures = map[string]string{
	worker.ReasonAddressRefused:    "correct spec.url, or, if the address is in a private network of yours, open that with the operator's flag -private-networks",
	worker.ReasonCredentialMissing: "put what spec.auth and spec.tls need into their Secrets; pods see it about a minute later",
	worker.ReasonTokenUnavailable:  "see that the token endpoint is up, or correct spec.auth.oauth2.tokenURL; it is asked again every second",
	worker.ReasonAccountRefused:    "settle it with the third party, or correct the rule in spec.response.rules; a message is tried every 5 s",
	worker.ReasonCredentialRefused: "correct the values in the Secret that spec.auth names, or give spec.auth if there is none; pods see new values about a minute later",
}
