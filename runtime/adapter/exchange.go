// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/runtime/fence"
)

const (
	// maxBody bounds what is read of an answer's body for expressions.
	maxBody = expression.MaxDocument
	// maxDrain is what is read of a body that nobody asks for, so that the connection can be used again.
	maxDrain = 64 << 10
	// drainTime bounds that reading: a third party that drips does not hold a place for the whole timeout after all has been said.
	drainTime = 100 * time.Millisecond
)

// exchange makes one request within the timeout and classifies what came of it.
func (a *Adapter) exchange(parent context.Context, r Request, secret map[string]string, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	// Once the headers are written the third party may act. Up to then it cannot.
	var sent, moved atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			if !fence.Stands(parent) { // nothing else stops the request now
				moved.Store(true)
				_ = got.Conn.Close()
			}
		},
		WroteHeaders: func() { sent.Store(true) }, // perhaps into a buffer only
	})
	request, err := a.request(ctx, r, secret)
	if err != nil {
		return answer{result: permanent, reason: RequestRefused, detail: err.Error()}
	}
	response, err := a.transport.RoundTrip(request)
	if err != nil && moved.Load() {
		return answer{result: cut, reason: Stopping, detail: "the message's queue may be another worker's by now"}
	}
	if err != nil {
		return a.broken(parent, err, timeout, sent.Load())
	}
	defer response.Body.Close() // the answer has been read as far as it matters
	reads := r.reader
	if reads == nil {
		reads = &a.meaning
	}
	if reads.asks(response.StatusCode) {
		body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
		if err != nil {
			return a.broken(parent, err, timeout, true)
		}
		return reads.of(ctx, response, body)
	}
	defer time.AfterFunc(drainTime, cancel).Stop()
	if response.StatusCode == http.StatusUnprocessableEntity {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxDrain)) // what there is of it
		return classify(response, body, a.spec.Idempotency.KeysHonoured, time.Now())
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxDrain) // the status has decided
	return classify(response, nil, a.spec.Idempotency.KeysHonoured, time.Now())
}

// request builds the HTTP request with key and credentials.
func (a *Adapter) request(ctx context.Context, r Request, secret map[string]string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, a.url+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("the path does not make a URL") // the error itself would quote it
	}
	// Without GetBody net/http cannot repeat the request by itself on another connection. It would for the sake of a header named Idempotency-Key,
	// although this third party may ignore keys, and beside the rate. For the same reason a body that is empty must not be http.NoBody.
	request.GetBody = nil
	if r.Body == nil {
		request.Body = io.NopCloser(bytes.NewReader(nil))
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "orderflow")
	if r.Key != "" {
		request.Header.Set(a.spec.Idempotency.Header, r.Key)
	}
	if a.spec.Auth != nil {
		authenticate(request, *a.spec.Auth, secret, r.Body, time.Now())
	}
	return request, nil
}

// broken classifies a request that got no whole answer. Only words of our own come out: errors of net/http quote URLs, in which a key may be, and what
// the third party sent.
func (a *Adapter) broken(parent context.Context, err error, timeout time.Duration, sent bool) answer {
	ans := answer{result: transient, reason: ConnectionFailed, fateUnknown: sent}
	var refused *dial.RefusedError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		return answer{result: misconfigured, reason: AddressRefused, detail: refused.Error()}
	case parent.Err() != nil:
		ans.result, ans.reason, ans.detail = cut, Stopping, "stopped before the answer came"
	case !sent && timedOut(err):
		ans.reason, ans.detail = Timeout, fmt.Sprintf("no connection within %v", min(timeout, connectTime))
	case errors.Is(err, context.DeadlineExceeded):
		ans.reason, ans.detail = Timeout, fmt.Sprintf("no whole answer within %v", timeout)
	case errors.As(err, &dns):
		ans.detail = "the host's name cannot be resolved"
	case errors.As(err, &certificate):
		ans.detail = untrusted(certificate)
	case unwelcome(alerted(err)) != "":
		return answer{result: transient, reason: CredentialRefused, detail: unwelcome(alerted(err))}
	case alerted(err) != "":
		ans.detail = "the third party ended TLS (" + alerted(err) + "): it may want another version or a client certificate, see the adapter's tls and auth"
	default:
		ans.detail = disconnected(err, sent)
	}
	return ans
}

// disconnected says what became of the connection.
func disconnected(err error, sent bool) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the host cannot be reached"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the whole answer"
	case sent:
		return "the answer is not HTTP"
	}
	return "no connection"
}
