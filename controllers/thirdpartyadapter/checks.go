// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/expression"
)

// check says what keeps the adapter from being used: its Secret, then its expressions.
func check(adapter *v1alpha1.ThirdPartyAdapter, seen facts) []result.Result {
	results := []result.Result{seen.secret}
	var declared worker.Adapter
	if response := adapter.Spec.Response; response != nil {
		declared.SuccessExpression = response.SuccessExpression
	}
	for _, e := range declared.Expressions() {
		if _, err := expression.Compile(e); err != nil {
			results = append(results, result.Stall(v1alpha1.ReasonInvalidExpression, "spec.%v", err))
		}
	}
	return results
}
