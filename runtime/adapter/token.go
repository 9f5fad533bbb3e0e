// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/dial"
)

const (
	// tokenRecheck is how long a message is parked where there is no token to be had, and how long an endpoint that gave none is not asked again.
	tokenRecheck = time.Second
	// earliest bounds how long before its end a token is renewed; of one that is short-lived, it is a quarter of its life.
	earliest = time.Minute
	// lifetime of a token whose endpoint does not say.
	lifetime = 5 * time.Minute
)

// tokens gets access tokens with client credentials, and keeps the last.
type tokens struct {
	auth   worker.Auth
	client *http.Client
	// turn is held by who asks the endpoint: one at a time.
	turn chan struct{}
	kept atomic.Pointer[token]
	// refusal is the last failure of the endpoint.
	refusal atomic.Pointer[tokenless]
}

// tokenless is that there was no token for these client credentials, and when the endpoint may be asked again.
type tokenless struct {
	err        error
	id, secret string
	until      time.Time
}

// token is an access token, and what it was got with: other client credentials want another token.
type token struct {
	text, id, secret string
	renewAt, endsAt  time.Time
}

func newTokens(auth worker.Auth, transport http.RoundTripper) *tokens {
	return &tokens{auth: auth, turn: make(chan struct{}, 1), client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // secrets go where they are meant to
	}}
}

// usable returns the token that was kept, nil if it is over or of other credentials, and whether it is time to renew it.
func (t *tokens) usable(values map[string]string) (kept *token, due bool) {
	now := time.Now()
	kept = t.kept.Load()
	if kept == nil || kept.id != values[worker.ClientIDKey] || kept.secret != values[worker.ClientSecretKey] || !now.Before(kept.endsAt) {
		return nil, true
	}
	return kept, !now.Before(kept.renewAt)
}

// refused is why the endpoint is not to be asked now; nil if it may be.
func (t *tokens) refused(values map[string]string) error {
	last := t.refusal.Load()
	if last == nil || last.id != values[worker.ClientIDKey] || last.secret != values[worker.ClientSecretKey] || !time.Now().Before(last.until) {
		return nil
	}
	return last.err
}

// get returns a token. Who finds one that ends soon renews it; meanwhile, and if that fails, all go on with it as long as it lasts.
func (t *tokens) get(ctx context.Context, values map[string]string) (string, error) {
	kept, due := t.usable(values)
	if !due || kept != nil && t.refused(values) != nil {
		return kept.text, nil
	}
	if kept != nil {
		select {
		case t.turn <- struct{}{}:
		default:
			return kept.text, nil
		}
	} else {
		select {
		case t.turn <- struct{}{}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	defer func() { <-t.turn }()
	if kept, due = t.usable(values); !due { // another one has just renewed it
		return kept.text, nil
	}
	if err := t.refused(values); err != nil { // to another one, just now
		if kept != nil {
			return kept.text, nil
		}
		return "", err
	}
	fresh, err := t.fetch(ctx, values)
	if err == nil {
		t.kept.Store(fresh)
		return fresh.text, nil
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // else nobody was waited for
		t.refusal.Store(&tokenless{err, values[worker.ClientIDKey], values[worker.ClientSecretKey], time.Now().Add(tokenRecheck)})
	}
	if kept != nil {
		return kept.text, nil // it is asked again in a moment
	}
	return "", err
}

func (t *tokens) fetch(ctx context.Context, values map[string]string) (*token, error) {
	config := clientcredentials.Config{
		ClientID: values[worker.ClientIDKey], ClientSecret: values[worker.ClientSecretKey],
		TokenURL: t.auth.TokenURL, Scopes: t.auth.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
	}
	if t.auth.In == "Body" {
		config.AuthStyle = oauth2.AuthStyleInParams
	}
	got, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	fresh := &token{text: got.AccessToken, id: config.ClientID, secret: config.ClientSecret, endsAt: got.Expiry}
	if got.Expiry.IsZero() {
		fresh.endsAt = now.Add(lifetime)
	}
	fresh.renewAt = fresh.endsAt.Add(-min(earliest, fresh.endsAt.Sub(now)/4))
	return fresh, nil
}

// forget drops the token the third party did not take.
func (t *tokens) forget(text string) {
	if kept := t.kept.Load(); kept != nil && kept.text == text {
		t.kept.CompareAndSwap(kept, nil)
	}
}

// authorized makes the request with what it authenticates with. One whose token is not taken is made once again, with a new one.
func (a *Adapter) authorized(ctx context.Context, r Request, secret map[string]string, timeout time.Duration) answer {
	if a.tokens == nil {
		return a.signed(ctx, r, secret, timeout)
	}
	ans, used := a.withToken(ctx, r, secret, timeout)
	if !ans.unauthorized {
		return ans
	}
	a.tokens.forget(used)
	waited, admitted := a.again(ctx)
	if admitted { // by the rate, for a second request
		ans, _ = a.withToken(ctx, r, secret, timeout)
	}
	ans.waited = waited
	return ans
}

func (a *Adapter) withToken(ctx context.Context, r Request, secret map[string]string, timeout time.Duration) (ans answer, used string) {
	asking, cancel := context.WithTimeout(ctx, timeout)
	used, err := a.tokens.get(asking, secret)
	cancel()
	if err != nil {
		return untokened(ctx, err), ""
	}
	with := maps.Clone(secret)
	with[worker.TokenKey] = used
	return a.exchange(ctx, r, with, timeout), used
}

// untokened is what it means that there is no token: nobody was asked, so it is no attempt. The errors of OAuth2 quote the endpoint's answer.
func untokened(ctx context.Context, err error) answer {
	ans := answer{result: denied, reason: TokenUnavailable, detail: "the token endpoint gives no token: no answer that is one"}
	var refused *dial.RefusedError
	var answered *oauth2.RetrieveError
	switch {
	case ctx.Err() != nil:
		return answer{result: cut, reason: Stopping, detail: "stopped while waiting for a token"}
	case errors.As(err, &refused):
		return answer{result: misconfigured, reason: AddressRefused, detail: "the token endpoint: " + refused.Error()}
	case errors.As(err, &answered) && answered.Response != nil:
		status := answered.Response.StatusCode
		ans.detail = fmt.Sprintf("the token endpoint answered %d", status)
		if status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden {
			ans.reason = CredentialRefused
		}
	}
	return ans
}
