// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package scene

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/ledger"
	"github.com/orderflow-dev/orderflow/test/shop"
	"github.com/orderflow-dev/orderflow/test/stub"
)

// service is a pod's HTTP API, by way of the API server.
type service struct {
	client *http.Client
	base   string
}

// Shop is the order system in the cluster. Its methods are the endpoints of package shop.
type Shop struct{ service }

// Pay pays one order.
func (s *Shop) Pay(ctx context.Context, req shop.PayRequest) (shop.PayResponse, error) {
	var answer shop.PayResponse
	return answer, s.call(ctx, http.MethodPost, "/pay", req, &answer)
}

// Load starts a load.
func (s *Shop) Load(ctx context.Context, req shop.LoadRequest) (shop.LoadStatus, error) {
	var status shop.LoadStatus
	return status, s.call(ctx, http.MethodPost, "/load", req, &status)
}

// Status of a load.
func (s *Shop) Status(ctx context.Context, id string) (shop.LoadStatus, error) {
	var status shop.LoadStatus
	return status, s.call(ctx, http.MethodGet, "/load/"+id, nil, &status)
}

// Samples of a load: its raw latencies.
func (s *Shop) Samples(ctx context.Context, id string) (evidence.Samples, error) {
	body, err := s.stream(ctx, "/load/"+id+"/samples")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return evidence.ReadSamples(body)
}

// Orders that were paid; of one load if id is not empty.
func (s *Shop) Orders(ctx context.Context, id string) ([]ledger.Order, error) {
	path := "/orders"
	if id != "" {
		path += "?load=" + id
	}
	body, err := s.stream(ctx, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return ledger.Read[ledger.Order](body)
}

// Stub is the third parties in the cluster. Its methods are the endpoints of package stub.
type Stub struct{ service }

// Steer changes how a provider, or one of its actions ("sms", "logistics/waybill"), behaves; the zero fields of a change are left as they are.
func (s *Stub) Steer(ctx context.Context, provider string, change map[string]any) error {
	return s.call(ctx, http.MethodPut, "/control/"+provider, change, nil)
}

// Stats counts calls per action.
func (s *Stub) Stats(ctx context.Context) ([]stub.Stats, error) {
	var stats []stub.Stats
	return stats, s.call(ctx, http.MethodGet, "/stats", nil, &stats)
}

// Calls are all recorded calls.
func (s *Stub) Calls(ctx context.Context) ([]ledger.Call, error) {
	body, err := s.stream(ctx, "/calls")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return ledger.Read[ledger.Call](body)
}

// Reset forgets all calls and heals all providers.
func (s *Stub) Reset(ctx context.Context) error {
	return s.call(ctx, http.MethodPost, "/reset", nil, nil)
}

// call sends in, if not nil, as JSON and decodes the answer into out, if not nil.
func (s service) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", path, err)
		}
		body = encoded
	}
	response, err := s.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (s service) stream(ctx context.Context, path string) (io.ReadCloser, error) {
	response, err := s.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

const (
	// unserved is what the API server's proxy says, having sent nothing, while it knows no pod of a Service: a cluster that was not heard of for minutes takes its nodes for lost
	// until their kubelets were heard again.
	unserved = "no endpoints available for service"
	// serveTime is for how long that may be so.
	serveTime = 2 * time.Minute
)

// do fails for every answer but 2xx, with what the answer says. It waits while the Service has no pods.
func (s service) do(ctx context.Context, method, path string, body []byte) (response *http.Response, err error) {
	waiting, cancel := context.WithTimeout(ctx, serveTime) // of the wait alone: the answer may be read for longer
	defer cancel()
	late := Poll(waiting, "the service has pods", func(context.Context) (bool, error) {
		response, err = s.try(ctx, method, path, body)
		return err == nil || !strings.Contains(err.Error(), unserved), nil
	})
	return response, errors.Join(err, late)
}

func (s service) try(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(said))
	}
	return response, nil
}
