// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// caller is what a shop writes by hand in place of the Push handler: it reads the order, posts a request by a tuned net/http client, and reads the answer's code. Without a URL
// it does nothing.
func (e engine) caller() func(ctx context.Context, message *primitive.MessageExt) error {
	if e.URL == "" {
		return func(context.Context, *primitive.MessageExt) error { return nil }
	}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		MaxIdleConns: e.Concurrency, MaxIdleConnsPerHost: e.Concurrency, DisableCompression: true,
	}}
	return func(ctx context.Context, message *primitive.MessageExt) error {
		var order struct {
			ID, Phone string
		}
		if err := json.Unmarshal(message.Body, &order); err != nil {
			return err
		}
		type parameters struct {
			OrderID string `json:"orderId"`
		}
		body, err := json.Marshal(struct {
			TemplateID string     `json:"templateId"`
			To         string     `json:"to"`
			Parameters parameters `json:"parameters"`
		}{"t", order.Phone, parameters{order.ID}})
		if err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", message.MsgId)
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		var answer struct{ Code string }
		if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK || answer.Code != "OK" {
			return fmt.Errorf("answered %d", response.StatusCode)
		}
		return nil
	}
}
