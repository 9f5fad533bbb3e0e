// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/message"
)

// Step is one request of a handler.
type Step struct {
	// Name is part of the idempotency key: another name is another effect.
	Name string
	// Adapter names the third party.
	Adapter string
	// Build maps a message to the request. Its error says which field cannot be had, without any value of the order: the message can never succeed.
	// ErrSkip: there is nothing to do.
	Build func(ctx context.Context, m *message.Message) (Request, error)
}

// Request is what a step asks of the third party.
type Request struct {
	Method string
	// Path is appended to the adapter's URL.
	Path string
	// PathMapped: the path is made of the order, and so as secret as that.
	PathMapped bool
	// Body is JSON, nil for none.
	Body []byte
}

// ErrSkip is Build's answer where the third party has nothing to do.
var ErrSkip = errors.New("nothing to do")

// Programs are a handler's compiled expressions by the field they stand in; a field that is not given has none.
type Programs map[string]*expression.Program

// Text evaluates the expression of a field to a text that is not empty.
func (p Programs) Text(ctx context.Context, field string, m *message.Message) (string, error) {
	text, err := p[field].String(ctx, expression.OfMessage(m))
	if err == nil && text == "" {
		err = fmt.Errorf("%s: the result is empty", field)
	}
	return text, err
}

// Post is a POST request with a JSON body.
func Post(path string, body any) (Request, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return Request{}, fmt.Errorf("encoding the request: %w", err)
	}
	return Request{Method: http.MethodPost, Path: path, Body: encoded}, nil
}

// OrderID is order.id, which every typed request carries.
func OrderID(m *message.Message) (any, error) {
	id, ok := m.Field("id")
	if !ok {
		return nil, errors.New("order.id is missing")
	}
	return id, nil
}
