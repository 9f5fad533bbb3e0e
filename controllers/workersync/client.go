// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// callTimeout bounds one call; a pod answers from memory.
	callTimeout = 2 * time.Second
	// maxAnswer bounds what is read of an answer; 16 adapters need a few KiB.
	maxAnswer = 1 << 20
)

// groupClient calls the pods of one group.
type groupClient struct {
	http   *http.Client
	tokens []string
}

func newGroupClient(serverName string, c Credentials, dial func(context.Context, string, string) (net.Conn, error)) *groupClient {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.Certificate)
	roots.AppendCertsFromPEM(c.PreviousCertificate)
	return &groupClient{
		tokens: c.tokens(),
		http: &http.Client{
			Timeout:       callTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a worker does not redirect") },
			Transport: &http.Transport{
				DialContext: dial,
				// No proxy: what is called are pods.
				TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, ServerName: serverName, RootCAs: roots},
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     5 * period,
			},
		},
	}
}

// close gives the connections up.
func (g *groupClient) close() { g.http.CloseIdleConnections() }

var errUnauthorized = errors.New("the pod does not know the group's token (yet)")

// sync asks the pod at host:port how it is, and tells it the limits if it runs with others. That it could not be told is the problem of the
// limits alone: what the pod said of itself is as true.
func (g *groupClient) sync(ctx context.Context, address string, live worker.Live) (worker.SyncResponse, error) {
	answer, err := g.ask(ctx, address, worker.SyncRequest{})
	if err != nil || live.Revision == "" || answer.LiveRevision == live.Revision {
		return answer, err
	}
	told, problem := g.ask(ctx, address, worker.SyncRequest{Live: &live})
	if problem == nil {
		return told, nil
	}
	answer.LiveProblem = "it could not be told: " + problem.Error()
	return answer, nil
}

// ask tries the tokens in turn: a pod may not have read the newest one yet.
func (g *groupClient) ask(ctx context.Context, address string, request worker.SyncRequest) (answer worker.SyncResponse, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return answer, fmt.Errorf("write the call: %w", err)
	}
	for _, token := range g.tokens {
		if answer, err = g.post(ctx, "https://"+address+worker.SyncPath, token, body); !errors.Is(err, errUnauthorized) {
			break
		}
	}
	return answer, err
}

func (g *groupClient) post(ctx context.Context, url, token string, body []byte) (answer worker.SyncResponse, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return answer, errUnauthorized
	default:
		return answer, fmt.Errorf("the pod answered %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the pod's answer: %w", err)
	}
	return answer, nil
}
