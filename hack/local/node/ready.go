// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"
)

// askTimeout bounds one question for readiness; a component that is busy booting may not answer at all.
const askTimeout = 2 * time.Second

// answers returns a check that succeeds once the URL answers 200. Whose certificate answers does not matter to it: the
// address leads into the sandbox and nowhere else.
func answers(url string) func(context.Context) error {
	client := &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}
