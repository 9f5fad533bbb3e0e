// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// hijack takes the connection over after the request was read.
func hijack(t *testing.T, w http.ResponseWriter, then func(net.Conn)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close() // what is tested is that it breaks
	then(conn)
}

func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

func drip(w http.ResponseWriter, r *http.Request) { dripAfter(http.StatusOK, w, r) }

func dripAfter(status int, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(status)
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
		}
	}
}

// dripHeaders begins an answer whose headers never end.
func dripHeaders(conn net.Conn) {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Drip: ")
	for err == nil {
		<-time.After(20 * time.Millisecond)
		_, err = io.WriteString(conn, "x")
	}
}

const codeOK = "response.body.code == 'OK'"

// faults are what a third party can do wrong, and what it means.
func faults(t *testing.T) map[string]struct {
	success string
	serve   http.HandlerFunc
	kind    outcome.Kind
	reason  outcome.Reason
	detail  string
	unknown bool // whether the effect may have happened
} {
	echo := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = io.Copy(w, r.Body) // with the phone number
		}
	}
	return map[string]struct {
		success string
		serve   http.HandlerFunc
		kind    outcome.Kind
		reason  outcome.Reason
		detail  string
		unknown bool
	}{
		"never answers":            {"", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, outcome.Retry, Timeout, "no whole answer within 1s", true},
		"drips bytes":              {codeOK, drip, outcome.Retry, Timeout, "no whole answer within 1s", true},
		"drips headers":            {"", func(w http.ResponseWriter, _ *http.Request) { hijack(t, w, dripHeaders) }, outcome.Retry, Timeout, "no whole answer within 1s", true},
		"closes without an answer": {"", func(w http.ResponseWriter, _ *http.Request) { hijack(t, w, func(net.Conn) {}) }, outcome.Retry, ConnectionFailed, "closed before the whole answer", true},
		"resets the connection":    {"", func(w http.ResponseWriter, _ *http.Request) { hijack(t, w, reset) }, outcome.Retry, ConnectionFailed, "the connection was reset", true},
		"resets within the body": {codeOK, func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\"")
			})
		}, outcome.Retry, ConnectionFailed, "closed before the whole answer", true},
		"answers no HTTP": {"", func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w, func(conn net.Conn) { _, _ = io.WriteString(conn, "your number is "+phone+"\r\n\r\n") })
		}, outcome.Retry, ConnectionFailed, "the answer is not HTTP", true},
		"answers 100 KiB of headers":     {"", echo(200, "X-Long", strings.Repeat("x", 100<<10)), outcome.Retry, ConnectionFailed, "the answer is not HTTP", true},
		"answers garbage":                {codeOK, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>\xff") }, outcome.Retry, ResponseUnreadable, "answered 200, which is not as expected: response.successExpression:", true},
		"answers JSON of another shape":  {codeOK, echo(200), outcome.Retry, ResponseUnreadable, "response.body.code is missing", true},
		"answers 10 MiB":                 {codeOK, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 10<<20)) }, outcome.Retry, ResponseTooLarge, "larger than 1048576 bytes", true},
		"answers 200 with an error body": {codeOK, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"code":"SYSTEM_ERROR"}`) }, outcome.Retry, ResponseRejected, "answered 200, but response.successExpression is false", false},
		"answers 500":                    {"", echo(500), outcome.Retry, ServerError, "answered 500 Internal Server Error", false},
		"answers 503 with a redirect":    {codeOK, echo(503, "Location", "/x"), outcome.Retry, ServerError, "answered 503", false},
		"answers 504":                    {"", echo(504), outcome.Retry, ServerError, "answered 504", true},
		"answers 524":                    {"", echo(524), outcome.Retry, ServerError, "answered 524", true},
		"answers 402":                    {"", echo(402), outcome.Retry, CredentialRefused, "answered 402 Payment Required: the account is refused rather than the message", false},
		"answers 403":                    {codeOK, echo(403), outcome.Retry, CredentialRefused, "answered 403", false},
		"answers 410":                    {"", echo(410), outcome.Dead, RequestRefused, "answered 410", false},
		"answers 429":                    {"", echo(429), outcome.Retry, TooManyRequests, "answered 429", false},
		"answers 408":                    {"", echo(408), outcome.Retry, ServerError, "answered 408", false},
		"answers 401":                    {"", echo(401), outcome.Retry, CredentialRefused, "answered 401", false},
		"answers 400":                    {"", echo(400), outcome.Dead, RequestRefused, "answered 400 Bad Request", false},
		"answers 404":                    {codeOK, echo(404), outcome.Dead, RequestRefused, "answered 404", false},
		"redirects":                      {"", echo(307, "Location", "http://169.254.169.254/"+phone), outcome.Dead, Redirected, "redirects are not followed", false},
	}
}

func TestFaultsOfTheThirdParty(t *testing.T) {
	for name, f := range faults(t) {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(f.serve)
			defer server.Close()
			a := build(t, config(server.URL, func(c *Config) {
				c.Spec.SuccessExpression = f.success
				if f.reason == Timeout {
					c.Limits.Timeout = worker.Duration(time.Second)
				}
			}))
			o := a.Call(t.Context(), request())
			if o.Kind != f.kind || o.Reason != f.reason || !strings.Contains(o.Detail, f.detail) {
				t.Fatalf("got %v %s %q\nwant %v %s %q", o.Kind, o.Reason, o.Detail, f.kind, f.reason, f.detail)
			}
			report := a.Report()
			if !strings.HasPrefix(report.LastError, string(f.reason)+": ") || report.LastErrorTime == nil {
				t.Errorf("reported as %q", report.LastError)
			}
			if all := fmt.Sprint(o, report.LastError); strings.Contains(all, phone) {
				t.Errorf("a value of the order came out: %s", all)
			}
		})
	}
}

func TestAnEffectThatMayHaveHappenedIsNotRepeatedWhereKeysAreIgnored(t *testing.T) {
	for name, f := range faults(t) {
		if f.kind != outcome.Retry {
			continue
		}
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(f.serve)
			defer server.Close()
			for _, accept := range []bool{false, true} {
				c := config(server.URL, func(c *Config) {
					c.Spec.SuccessExpression = f.success
					c.Spec.Idempotency.KeysHonoured = false
					c.Spec.Idempotency.AcceptDuplicates = accept
					if f.reason == Timeout {
						c.Limits.Timeout = worker.Duration(time.Second)
					}
					c.Limits.RequestAttempts = 2
				})
				o := build(t, c).Call(t.Context(), request())
				wantRequests := 2
				want := f.reason
				if f.unknown && !accept {
					wantRequests, want = 1, FateUnknown
				}
				if f.reason == CredentialRefused {
					wantRequests = 1
				}
				if got := c.Observer.(*observed).requests(); got != wantRequests || o.Reason != want {
					t.Errorf("accepting duplicates %v: got %d requests and %v %s, want %d and %s", accept, got, o.Kind, o.Reason, wantRequests, want)
				}
			}
		})
	}
}

// What the status decides is decided at once: the rest of the answer is given little time, so that a third party that drips holds no place of others.
func TestABodyThatDripsIsNotWaitedForWhereTheStatusDecides(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   outcome.Kind
	}{
		"a success without an expression": {http.StatusOK, outcome.Done},
		"a failure":                       {http.StatusInternalServerError, outcome.Retry},
		"a refusal":                       {http.StatusBadRequest, outcome.Dead},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { dripAfter(c.status, w, r) }))
			defer server.Close()
			a := build(t, config(server.URL, func(c *Config) { c.Limits.Timeout = worker.Duration(6 * time.Second) }))
			start := time.Now()
			o := a.Call(t.Context(), request())
			if took := time.Since(start); o.Kind != c.want || took > 3*time.Second {
				t.Errorf("got %v after %v, want %v at once", o.Kind, took, c.want)
			}
		})
	}
}

// A server that closes an idle connection just as a request is written looks to net/http like a request to repeat, if its method or a header named
// Idempotency-Key says it may be repeated.
func TestNetHTTPDoesNotRepeatRequestsByItself(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		body   []byte
	}{
		"an order that is sent":      {http.MethodPost, []byte("{}")},
		"a look without a body":      {http.MethodGet, nil},
		"a deletion without a body":  {http.MethodDelete, nil},
		"a deletion that has a body": {http.MethodDelete, []byte("{}")},
	} {
		t.Run(name, func(t *testing.T) {
			requests := make(chan string, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests <- r.URL.Path
				if r.URL.Path == "/send" {
					hijack(t, w, func(net.Conn) {})
				}
			}))
			defer server.Close()
			a := build(t, config(server.URL, func(c *Config) { c.Spec.Idempotency.KeysHonoured = false }))
			ask := Request{Step: "s", Method: c.method, Path: "/warm", Body: c.body, Key: "KEY"}
			if o := a.Call(t.Context(), ask); o.Kind != outcome.Done {
				t.Fatalf("got %v", o)
			}
			ask.Path = "/send"
			if o := a.Call(t.Context(), ask); o.Reason != FateUnknown {
				t.Errorf("got %v, want %s", o, FateUnknown)
			}
			if got := len(requests); got != 2 {
				t.Errorf("the third party saw %d requests, want 2", got)
			}
		})
	}
}

func TestAThirdPartyThatIsNotThere(t *testing.T) {
	for name, c := range map[string]struct{ url, detail string }{
		"refuses connections": {"http://127.0.0.1:1", "the connection was refused"},
		"has no known name":   {"http://nobody.invalid", "the host's name cannot be resolved"},
	} {
		t.Run(name, func(t *testing.T) {
			o := build(t, config(c.url, func(c *Config) { c.Spec.Idempotency.KeysHonoured = false })).Call(t.Context(), request())
			if o.Kind != outcome.Retry || o.Reason != ConnectionFailed || !strings.Contains(o.Detail, c.detail) {
				t.Errorf("got %v %s %q, want %q and no FateUnknown: nothing was sent", o.Kind, o.Reason, o.Detail, c.detail)
			}
		})
	}
}

func TestAnUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	o := build(t, config(server.URL, nil)).Call(t.Context(), request())
	if o.Kind != outcome.Retry || !strings.Contains(o.Detail, "the host's certificate cannot be verified") {
		t.Errorf("got %v", o)
	}
}

func TestRetryAfterInBothForms(t *testing.T) {
	for name, c := range map[string]struct {
		header   func() string
		min, max time.Duration
	}{
		"seconds":             {func() string { return "90" }, 90 * time.Second, 90 * time.Second},
		"a date":              {func() string { return time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat) }, 80 * time.Second, 90 * time.Second},
		"a date that is past": {func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, 0, 0},
		"something else":      {func() string { return "soon" }, 0, 0},
		"a negative number":   {func() string { return "-5" }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", c.header())
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			defer server.Close()
			o := build(t, config(server.URL, nil)).Call(t.Context(), request())
			if o.Reason != TooManyRequests || o.After < c.min || o.After > c.max {
				t.Errorf("got %s after %v, want between %v and %v", o.Reason, o.After, c.min, c.max)
			}
		})
	}
}

func TestASuccessIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		success string
		serve   http.HandlerFunc
	}{
		"by any 2xx":           {"", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }},
		"by the expression":    {codeOK, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"code":"OK"}`) }},
		"whatever the body is": {"", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 10<<20)) }},
		"by a header":          {"response.headers['x-result'] == 'ok'", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Result", "ok") }},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.serve)
			defer server.Close()
			a := build(t, config(server.URL, func(cfg *Config) { cfg.Spec.SuccessExpression = c.success }))
			if o := a.Call(t.Context(), request()); o != outcome.Succeed() {
				t.Errorf("got %v", o)
			}
			if report := a.Report(); report.LastError != "" || report.InFlight != 0 || report.Circuit != worker.CircuitClosed {
				t.Errorf("reported as %+v", report)
			}
		})
	}
}

func TestTheRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	a := build(t, config(server.URL+"/base/", nil))
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
		t.Fatalf("got %v", o)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/base/send" || got.Proto != "HTTP/1.1" || string(body) != `{"to":"`+phone+`"}` {
		t.Errorf("got %s %s %s %s", got.Method, got.URL, got.Proto, body)
	}
	for name, want := range map[string]string{"Idempotency-Key": "KEY", "Content-Type": "application/json", "Accept": "application/json", "User-Agent": "orderflow"} {
		if got.Header.Get(name) != want {
			t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if o := a.Call(t.Context(), Request{Step: "look", Method: http.MethodGet, Key: "KEY"}); o.Kind != outcome.Done || len(body) != 0 || got.ContentLength != 0 || len(got.TransferEncoding) > 0 || got.URL.Path != "/base" || got.Header.Get("Content-Type") != "" {
		t.Errorf("GET without path and body: got %v, %s %q", o, got.URL.Path, body)
	}
}

func writeSecret(t *testing.T, values map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for key, value := range values {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAuthentication(t *testing.T) {
	values := map[string]string{"username": "shop", "password": canary, "token": canary + "\n", "api-key": canary, "key-id": "k1", "secret": canary}
	for name, c := range map[string]struct {
		auth  worker.Auth
		check func(r *http.Request, body []byte) string
	}{
		"Basic": {worker.Auth{Type: worker.AuthBasic}, func(r *http.Request, _ []byte) string {
			if user, password, _ := r.BasicAuth(); user != "shop" || password != canary {
				return r.Header.Get("Authorization")
			}
			return ""
		}},
		"Bearer, without the file's last line break": {worker.Auth{Type: worker.AuthBearer}, func(r *http.Request, _ []byte) string {
			return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "+canary)
		}},
		"APIKey in a header": {worker.Auth{Type: worker.AuthAPIKey, In: "Header", Name: "X-Key"}, func(r *http.Request, _ []byte) string {
			return strings.TrimPrefix(r.Header.Get("X-Key"), canary)
		}},
		"APIKey in the query": {worker.Auth{Type: worker.AuthAPIKey, In: "Query", Name: "key"}, func(r *http.Request, _ []byte) string {
			return strings.TrimPrefix(r.URL.RequestURI(), "/send?key="+canary)
		}},
		"HMAC": {worker.Auth{Type: worker.AuthHMAC, SignatureHeader: "X-Sig", TimestampHeader: "X-Time", KeyIDHeader: "X-Id"}, func(r *http.Request, body []byte) string {
			// The signature as the third party's own code would compute it from the documentation.
			want := hmacHex(canary, r.Header.Get("X-Time")+".POST./send."+string(body))
			if r.Header.Get("X-Sig") != want || r.Header.Get("X-Id") != "k1" {
				return fmt.Sprint(r.Header)
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := make(chan string, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				wrong <- c.check(r, body)
				hijack(t, w, func(net.Conn) {}) // so that there is an error to look at
			}))
			defer server.Close()
			a := build(t, config(server.URL, func(cfg *Config) {
				cfg.Spec.Auth = &c.auth
				cfg.CredentialDir = writeSecret(t, values)
			}))
			o := a.Call(t.Context(), request())
			if w := <-wrong; w != "" {
				t.Errorf("the request carries %q", w)
			}
			if all := fmt.Sprint(o, a.Report()); strings.Contains(all, canary) {
				t.Errorf("the secret came out: %s", all)
			}
		})
	}
}

func TestAddressesThirdPartiesMayNotHave(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, url := range []string{server.URL, "http://localhost" + port, "http://[::ffff:127.0.0.1]" + port} {
		transport := NewTransport(nil, 1)
		a := build(t, config(url, func(c *Config) {
			c.Transport = transport
			c.Limits.Breaker.MinimumRequests = 1
		}))
		o := a.Call(t.Context(), request())
		if o.Kind != outcome.Park || o.Reason != AddressRefused || o.Resume == nil || !strings.Contains(o.Detail, "is this machine's own") {
			t.Errorf("%s: got %v %s %q", url, o.Kind, o.Reason, o.Detail)
		}
		if a.Report().Circuit != worker.CircuitClosed {
			t.Errorf("%s: the circuit is %s, though the third party was not asked", url, a.Report().Circuit)
		}
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	for honoured, want := range map[bool]outcome.Reason{true: Stopping, false: FateUnknown} {
		a := build(t, config(server.URL, func(c *Config) { c.Spec.Idempotency.KeysHonoured = honoured }))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan outcome.Outcome)
		go func() { got <- a.Call(ctx, request()) }()
		<-arrived
		cancel()
		if o := <-got; o.Reason != want {
			t.Errorf("keys honoured %v: got %v, want %s", honoured, o, want)
		}
		if a.Report().LastError != "" {
			t.Errorf("our own stop is reported as %q", a.Report().LastError)
		}
	}
}

func hmacHex(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Whatever a third party wishes, it is a time from now on, and no longer than a header can say.
func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{"0", "90", "-5", "soon", "4294967296", "2147483647", "Fri, 31 Dec 9999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} {
		f.Add(header, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, header string, seconds int64) {
		now := time.Unix(seconds%(1<<33), 0)
		after := retryAfter(header, now)
		if after < 0 {
			t.Errorf("%q at %v: %v", header, now, after)
		}
		if date, err := http.ParseTime(header); err == nil && after > 0 && now.Add(after).After(date) {
			t.Errorf("%q at %v: %v, which is later", header, now, after)
		}
	})
}
