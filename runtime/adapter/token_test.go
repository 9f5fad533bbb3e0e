// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// issuer is a third party with a token endpoint, without any connection. It takes the last token it issued, unless revoked.
type issuer struct {
	mu sync.Mutex
	// status of the token endpoint; 200 issues tokens that last so many seconds.
	status, expires int
	revoked         bool
	issued, calls   int
	forms           []string
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/token" {
		time.Sleep(100 * time.Millisecond) // of a bubble: others come meanwhile
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code, body := http.StatusOK, "{}"
	if r.URL.Path == "/token" {
		form, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		i.forms = append(i.forms, fmt.Sprint(user, " ", password, " ", string(form)))
		if code = i.status; code != http.StatusOK {
			body = `{"error":"invalid_client","error_description":"` + canary + `"}`
		} else {
			i.issued++
			body = fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, i.issued, i.expires)
		}
	} else if i.calls++; i.revoked || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", i.issued) {
		code = http.StatusUnauthorized
	}
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// counts are the requests for tokens, and those with them, since the last time.
func (i *issuer) counts() (tokens, calls int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	tokens, calls = len(i.forms), i.calls
	i.forms, i.calls = nil, 0
	return tokens, calls
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func withOAuth2(t *testing.T, i *issuer, change func(*Config)) *Adapter {
	t.Helper()
	return build(t, config("https://sms.example", func(c *Config) {
		c.Transport = i
		c.Spec.Auth = &worker.Auth{Type: worker.AuthOAuth2, TokenURL: "https://login.example/token", Scopes: []string{"a", "b"}, In: "Header"}
		c.CredentialDir = writeSecret(t, map[string]string{worker.ClientIDKey: "shop", worker.ClientSecretKey: canary})
		if change != nil {
			change(c)
		}
	}))
}

func TestATokenIsAskedForOnceAndRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: http.StatusOK, expires: 600}
		a := withOAuth2(t, i, nil)
		many := func(sentence string, tokens int) {
			t.Helper()
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
						t.Errorf("%s: got %v %s %q", sentence, o.Kind, o.Reason, o.Detail)
					}
				})
			}
			all.Wait()
			if got, _ := i.counts(); got != tokens {
				t.Errorf("%s: %d tokens were asked for, want %d", sentence, got, tokens)
			}
		}
		many("at first", 1)
		time.Sleep(530 * time.Second)
		many("while it lasts", 0)
		time.Sleep(20 * time.Second)
		a.Call(t.Context(), request())
		if tokens, _ := i.counts(); tokens != 1 {
			t.Errorf("shortly before its end %d tokens were asked for, want 1", tokens)
		}
		time.Sleep(550 * time.Second)
		i.set(func(i *issuer) { i.status = http.StatusServiceUnavailable }) // the old token is still taken
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("a renewal that fails while the token lasts: got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
	})
}

func TestATokenThatIsNotTakenIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: http.StatusOK, expires: 600}
		a := withOAuth2(t, i, nil)
		a.Call(t.Context(), request())
		i.counts()
		i.set(func(i *issuer) { i.issued = 41 }) // as if another had been issued since
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		if tokens, calls := i.counts(); tokens != 1 || calls != 2 {
			t.Errorf("%d tokens and %d requests, want one and its repetition", tokens, calls)
		}
		i.set(func(i *issuer) { i.revoked = true })
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Retry || o.Reason != CredentialRefused {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		if tokens, calls := i.counts(); tokens != 1 || calls != 2 {
			t.Errorf("an account that is refused: %d tokens and %d requests, want one and its repetition", tokens, calls)
		}
	})
}

// Without a token nobody is asked: no attempt is counted, and for the circuit it is a failure.
func TestATokenEndpointThatFailsIsTheThirdPartysFailure(t *testing.T) {
	for status, want := range map[int]outcome.Reason{503: TokenUnavailable, 401: CredentialRefused, 400: CredentialRefused, 302: TokenUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{status: status}
			a := withOAuth2(t, i, func(c *Config) { c.Limits.Breaker.MinimumRequests = 1 })
			o := a.Call(t.Context(), request())
			if o.Kind != outcome.Park || o.Reason != want || !strings.Contains(o.Detail, fmt.Sprint("the token endpoint answered ", status)) {
				t.Errorf("got %v %s %q, want it parked by %s", o.Kind, o.Reason, o.Detail, want)
			}
			if _, calls := i.counts(); calls != 0 || a.Report().Circuit != worker.CircuitOpen {
				t.Errorf("%d requests were made, and the circuit is %s", calls, a.Report().Circuit)
			}
			if all := fmt.Sprint(o, a.Report()); strings.Contains(all, canary) {
				t.Errorf("the secret came out: %s", all)
			}
			time.Sleep(time.Minute) // what the circuit and the outcome have set ends
		})
	}
}

func TestOtherClientCredentialsGetAnotherToken(t *testing.T) {
	for in, want := range map[string]string{
		"Header": "shop 2 grant_type=client_credentials&scope=a+b",
		"Body":   "  client_id=shop&client_secret=2&grant_type=client_credentials&scope=a+b",
	} {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{status: http.StatusOK, expires: 600}
			var dir string
			a := withOAuth2(t, i, func(c *Config) { c.Spec.Auth.In, dir = in, c.CredentialDir })
			a.Call(t.Context(), request())
			i.counts()
			if err := os.WriteFile(filepath.Join(dir, worker.ClientSecretKey), []byte("2"), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			a.Call(t.Context(), request())
			if len(i.forms) != 1 || i.forms[0] != want {
				t.Errorf("asked for with %q, want %q", i.forms, want)
			}
		})
	}
}

// Whoever comes while the endpoint fails does not ask it again: not those who waited for the first, nor those who have a token that ends soon.
func TestATokenEndpointThatFailsIsLeftAloneForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: http.StatusServiceUnavailable, expires: 600}
		a := withOAuth2(t, i, nil)
		calls := func(sentence string, kind outcome.Kind, tokens int) {
			t.Helper()
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					for range 5 {
						if o := a.Call(t.Context(), request()); o.Kind != kind {
							t.Errorf("%s: got %v %s %q", sentence, o.Kind, o.Reason, o.Detail)
						}
					}
				})
			}
			all.Wait()
			if got, _ := i.counts(); got != tokens {
				t.Errorf("%s: the endpoint was asked %d times, want %d", sentence, got, tokens)
			}
		}
		calls("without a token", outcome.Park, 1)
		time.Sleep(tokenRecheck)
		calls("a moment later", outcome.Park, 1)
		time.Sleep(tokenRecheck)
		i.set(func(i *issuer) { i.status = http.StatusOK })
		calls("once it is back", outcome.Done, 1)
		time.Sleep(545 * time.Second)
		i.set(func(i *issuer) { i.status = http.StatusServiceUnavailable }) // the old token is still taken
		calls("while a token is left", outcome.Done, 1)
		time.Sleep(2 * time.Minute) // what the outcomes have set ends
	})
}

func TestOtherClientCredentialsAreTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: http.StatusUnauthorized, expires: 600}
		var dir string
		a := withOAuth2(t, i, func(c *Config) { dir = c.CredentialDir })
		time.Sleep(2 * time.Second)
		first := a.Call(t.Context(), request())
		if first.Kind != outcome.Park {
			t.Fatalf("got %v", first)
		}
		for key, value := range map[string]string{worker.ClientIDKey: "other", worker.ClientSecretKey: "2"} {
			if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		i.set(func(i *issuer) { i.status = http.StatusOK })
		time.Sleep(950 * time.Millisecond) // since the endpoint answered; a second since the Secret was read
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		time.Sleep(time.Minute)
	})
}

func TestARequestThatWaitsToBeMadeWithANewTokenIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: http.StatusOK, expires: 3600}
		a := withOAuth2(t, i, func(c *Config) {
			c.Limits.RequestsPerSecond = 1
			c.Limits.Breaker.MinimumRequests, c.Limits.Breaker.SlowRequest = 1, worker.Duration(500*time.Millisecond)
		})
		calls(t, a, outcome.Done)
		i.set(func(i *issuer) { i.issued++ })
		time.Sleep(time.Second)
		clock, start := new(WaitClock), time.Now()
		o := a.Call(WithWaitClock(t.Context(), clock), request())
		took, waited := time.Since(start), clock.Waited()
		if state := a.Report().Circuit; o.Kind != outcome.Done || state != worker.CircuitClosed || took < time.Second || took-waited > 100*time.Millisecond {
			t.Errorf("got %v after %v, of which it waited %v, and a circuit that is %s", o, took, waited, state)
		}
	})
}
