// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/producer"
)

// thirdParties is what a shop without a message broker has: calls in its payment path. It is written as such shops are,
// with a timeout and without retries, breaker or idempotency keys.
type thirdParties struct {
	baseURL string
	client  *http.Client
}

func newThirdParties(baseURL string, timeout time.Duration) *thirdParties {
	// Enough idle connections that a loaded shop does not dial for each call.
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute}
	return &thirdParties{baseURL: baseURL, client: &http.Client{Timeout: timeout, Transport: transport}}
}

func (p *thirdParties) close() { p.client.CloseIdleConnections() }

// callAll calls every third party, one after another. The first failure is the buyer's: what comes after it is not done.
func (p *thirdParties) callAll(ctx context.Context, o producer.OrderEvent) error {
	for _, call := range []struct {
		path string
		body map[string]any
	}{
		{"/sms/send", map[string]any{"phone": o.Phone, "templateId": "order_paid"}},
		{"/logistics/waybill", map[string]any{"items": o.Items, "address": o.Address}},
		{"/logistics/shipment", map[string]any{"phone": o.Phone}},
		{"/points/credit", map[string]any{"memberId": o.MemberID, "points": o.Amount / 100}},
		{"/coupons/grant", map[string]any{"memberId": o.MemberID}},
	} {
		call.body["orderId"] = o.ID
		if err := p.call(ctx, call.path, call.body); err != nil {
			return fmt.Errorf("third party %s: %w", call.path, err)
		}
	}
	return nil
}

func (p *thirdParties) call(ctx context.Context, path string, body any) (err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.baseURL+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}
