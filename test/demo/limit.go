// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// smsLimit is the account limit the sample declares for SMS, in requests per second.
func (s *stage) smsLimit(ctx context.Context) (float64, error) {
	var adapter v1alpha1.ThirdPartyAdapter
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: "sms"}, &adapter); err != nil {
		return 0, err
	}
	if adapter.Spec.RateLimit == nil {
		return 0, errors.New("the sample's sms adapter has no rateLimit: the drain cannot be judged")
	}
	return float64(adapter.Spec.RateLimit.Requests) / adapter.Spec.RateLimit.Period.Seconds(), nil
}
