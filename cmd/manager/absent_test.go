// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/orderflow-dev/orderflow/internal/port"
)

// TestAnOperatorWithoutAnAPIServerWaitsForOne starts the operator where nobody answers: it says that it lives, and does not end.
func TestAnOperatorWithoutAnAPIServerWaitsForOne(t *testing.T) {
	if !apart(t) {
		return
	}
	address := port.Free(t)
	// It is not stopped but ends with this process: controller-runtime spins when it is stopped before its caches are filled.
	_ = start(t, &rest.Config{Host: "http://127.0.0.1:1"}, func(o *options) { o.healthAddress, o.metricsAddress = address, "0" })
	within(t, "the operator says that it lives", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
}
