// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// piped is a server that is reached without a network, so that it suits tests in a bubble of synctest.
type piped struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// Accept implements net.Listener.
func (p *piped) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *piped) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements net.Listener.
func (p *piped) Addr() net.Addr { return &net.TCPAddr{} }

func (p *piped) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newPiped() *piped { return &piped{conns: make(chan net.Conn), done: make(chan struct{})} }

// tlsServer is a third party that speaks TLS so, and closes with the test.
func tlsServer(t *testing.T, config *tls.Config, handle http.HandlerFunc, closed func()) *piped {
	t.Helper()
	p := newPiped()
	serve(t, p, config, handle, closed)
	return p
}

func serve(t *testing.T, listener net.Listener, config *tls.Config, handle http.HandlerFunc, closed func()) {
	t.Helper()
	server := &http.Server{Handler: handle, ErrorLog: log.New(io.Discard, "", 0), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed && closed != nil {
			closed()
		}
	}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(tls.NewListener(listener, config)) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
}

// overTCP is a third party on this machine, and how it is dialled whatever its name. A handshake that fails needs it: in a pipe, what both say blocks both.
func overTCP(t *testing.T, config *tls.Config, handle http.HandlerFunc) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, config, handle, nil)
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}
}

// securedBy is an adapter with TLS of its own, whose files are in the folder. It ignores keys: what may have had its effect is a dead letter.
func securedBy(t *testing.T, dir string, dial func(context.Context, string, string) (net.Conn, error), change func(*worker.Adapter)) *Adapter {
	t.Helper()
	return build(t, config("https://sms.example", func(c *Config) {
		c.Spec.Idempotency.KeysHonoured = false
		change(&c.Spec)
		base := NewTransport(nil, 10)
		base.DialContext = dial
		c.Secured = NewSecured(c.Spec, dir, base)
		c.Transport = c.Secured
		t.Cleanup(c.Secured.CloseIdleConnections)
	}))
}

// mount puts a version of a Secret into the folder, as the kubelet does.
func mount(t *testing.T, dir, version string, values map[string]string) {
	t.Helper()
	folder := filepath.Join(dir, ".."+version)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for key, value := range values {
		if err := os.WriteFile(filepath.Join(folder, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := filepath.Join(dir, "..next")
	if err := errors.Join(os.Symlink(folder, next), os.Rename(next, filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
}

func mtls(spec *worker.Adapter) {
	spec.Auth, spec.TLS = &worker.Auth{Type: worker.AuthMTLS}, &worker.TLS{CA: true}
}

// pair is a Secret with a client certificate of that name, that lasts for so long, and the authority.
func pair(t *testing.T, authority *certificatetest.Authority, name string, lasts time.Duration) map[string]string {
	t.Helper()
	certificate, key := authority.Issue(t, name, time.Now().Add(-2*time.Hour), time.Now().Add(lasts))
	return map[string]string{worker.CertificateKey: certificate, worker.PrivateKeyKey: key, worker.CAKey: authority.PEM}
}

func TestAClientCertificateIsTakenOverWhileRequestsAreOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := certificatetest.NewAuthority(t)
		shown, hold, closed := make(chan string, 10), make(chan struct{}), make(chan struct{}, 10)
		server := tlsServer(t, authority.Demanding(authority.Server(t, "sms.example", time.Now(), time.Now().Add(24*time.Hour))), func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			shown <- r.TLS.PeerCertificates[0].Subject.CommonName
			if r.URL.Path == "/slow" {
				<-hold
			}
		}, func() { closed <- struct{}{} })
		dir := t.TempDir()
		mount(t, dir, "1", pair(t, authority, "one", time.Hour))
		a := securedBy(t, dir, server.dial, mtls)

		slow := make(chan outcome.Outcome, 1)
		go func() {
			r := request()
			r.Path = "/slow"
			slow <- a.Call(t.Context(), r)
		}()
		if got := <-shown; got != "one" {
			t.Fatalf("the certificate shown is %s", got)
		}
		mount(t, dir, "2", pair(t, authority, "two", 2*time.Hour))
		time.Sleep(2 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || <-shown != "two" {
			t.Errorf("after the Secret changed: %v %q", o.Kind, o.Detail)
		}
		close(hold)
		if o := <-slow; o.Kind != outcome.Done {
			t.Errorf("what was on its way: %v %q", o.Kind, o.Detail)
		}
		released := time.Now()
		if <-closed; !time.Now().Equal(released) {
			t.Errorf("the connection of before was kept for %v", time.Since(released))
		}
	})
}

func TestACertificateThatCannotBeUsedIsNotTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := certificatetest.NewAuthority(t)
		shown := make(chan string, 10)
		server := tlsServer(t, authority.Demanding(authority.Server(t, "sms.example", time.Now(), time.Now().Add(24*time.Hour))), func(_ http.ResponseWriter, r *http.Request) {
			shown <- r.TLS.PeerCertificates[0].Subject.CommonName
		}, nil)
		dir := t.TempDir()
		a := securedBy(t, dir, server.dial, mtls)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Park || o.Reason != CredentialMissing || !strings.Contains(o.Detail, `"tls.crt" is missing`) {
			t.Errorf("without a certificate: %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		good := pair(t, authority, "good", time.Hour)
		mount(t, dir, "good", good)
		time.Sleep(2 * time.Second)
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || <-shown != "good" {
			t.Fatalf("with one: %v %q", o.Kind, o.Detail)
		}
		with := func(key, value string) map[string]string {
			bad := maps.Clone(good)
			bad[key] = value
			return bad
		}
		for want, values := range map[string]map[string]string{
			"": good,
			"tls.key cannot be read, or is not the key of the certificate in tls.crt": with(worker.PrivateKeyKey, pair(t, authority, "other", time.Hour)[worker.PrivateKeyKey]),
			"tls.crt has no certificate that can be read":                             with(worker.CertificateKey, canary),
			`the Secret's key "tls.key" is empty`:                                     with(worker.PrivateKeyKey, ""),
			"ca.crt has no certificate that can be read":                              with(worker.CAKey, canary),
			"the certificate in tls.crt has ended at ":                                pair(t, authority, "ended", -time.Hour),
		} {
			mount(t, dir, "bad "+strings.ReplaceAll(want, "/", " "), values)
			time.Sleep(2 * time.Second)
			if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || <-shown != "good" {
				t.Errorf("%s: %v %q", want, o.Kind, o.Detail)
			}
			if got := a.Report().CredentialProblem; !strings.HasPrefix(got, want) || (got == "") != (want == "") || strings.Contains(got, canary) {
				t.Errorf("said is %q, want %q", got, want)
			}
		}
		time.Sleep(time.Hour)
		o := a.Call(t.Context(), request())
		if o.Kind != outcome.Park || o.Reason != CredentialMissing || !strings.Contains(o.Detail, "the certificate in tls.crt has ended at 2000-01-01T01:00:0") {
			t.Errorf("once it has ended: %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		mount(t, dir, "renewed", pair(t, authority, "renewed", time.Hour))
		<-o.Resume
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done || <-shown != "renewed" {
			t.Errorf("once it was renewed: %v %q", o.Kind, o.Detail)
		}
	})
}

// What cannot be trusted is told before a request is made: keys are ignored here, and yet its fate is known.
func TestWhomAThirdPartyIsTrustedBy(t *testing.T) {
	year := 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		tls    worker.TLS
		name   string
		lasts  time.Duration
		newest uint16
		other  bool // authority
		detail string
	}{
		"its authority":       {worker.TLS{CA: true}, "sms.example", year, 0, false, ""},
		"another name":        {worker.TLS{CA: true, ServerName: "api.internal"}, "api.internal", year, 0, false, ""},
		"a name it is not":    {worker.TLS{CA: true}, "api.internal", year, 0, false, "it is for another name"},
		"another authority":   {worker.TLS{CA: true}, "sms.example", year, 0, true, "nobody who is trusted has signed it"},
		"the public roots":    {worker.TLS{}, "sms.example", year, 0, false, "nobody who is trusted has signed it"},
		"a certificate's end": {worker.TLS{CA: true}, "sms.example", -time.Minute, 0, false, "it has ended"},
		"the newest version":  {worker.TLS{CA: true, MinVersion: worker.TLS13}, "sms.example", year, tls.VersionTLS13, false, ""},
		"an older version":    {worker.TLS{CA: true, MinVersion: worker.TLS13}, "sms.example", year, tls.VersionTLS12, false, "(tls: protocol version not supported)"},
		"the default version": {worker.TLS{CA: true}, "sms.example", year, tls.VersionTLS12, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			authority := certificatetest.NewAuthority(t)
			config := authority.Server(t, c.name, time.Now().Add(-time.Hour), time.Now().Add(c.lasts))
			config.MaxVersion = c.newest
			dial := overTCP(t, config, func(http.ResponseWriter, *http.Request) {})
			if c.other {
				authority = certificatetest.NewAuthority(t)
			}
			dir := t.TempDir()
			mount(t, dir, "1", map[string]string{worker.CAKey: authority.PEM})
			o := securedBy(t, dir, dial, func(spec *worker.Adapter) { spec.TLS = &c.tls }).Call(t.Context(), request())
			if c.detail == "" && o.Kind != outcome.Done {
				t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
			}
			if c.detail != "" && (o.Kind != outcome.Retry || o.Reason != ConnectionFailed || !strings.Contains(o.Detail, c.detail)) {
				t.Errorf("got %v %s %q, want it retried: %s", o.Kind, o.Reason, o.Detail, c.detail)
			}
		})
	}
}

// With TLS 1.3 a server says no after the request was written. Where its connection is reset before that is read the fate is unknown, and that is right;
// where it is read, nobody has seen the request, and it is the account that is refused.
func TestAClientCertificateThatIsNotTakenRefusesTheAccount(t *testing.T) {
	authority, other := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	for name, c := range map[string]struct {
		version uint16
		show    bool
		detail  string
	}{
		"another authority's, TLS 1.2": {tls.VersionTLS12, true, "the client certificate is not taken (tls: "},
		"another authority's, TLS 1.3": {tls.VersionTLS13, true, "the client certificate is not taken (tls: "},
		"none, TLS 1.3":                {tls.VersionTLS13, false, "a client certificate is required"},
	} {
		t.Run(name, func(t *testing.T) {
			config := authority.Demanding(authority.Server(t, "sms.example", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
			config.MaxVersion = c.version
			dial := overTCP(t, config, func(http.ResponseWriter, *http.Request) { t.Error("the request was handled") })
			dir := t.TempDir()
			values := pair(t, other, "shop", time.Hour)
			values[worker.CAKey] = authority.PEM
			mount(t, dir, "1", values)
			a := securedBy(t, dir, dial, func(spec *worker.Adapter) {
				mtls(spec)
				if !c.show {
					spec.Auth = nil
				}
			})
			var o outcome.Outcome
			for range 100 {
				if o = a.Call(t.Context(), request()); o.Kind == outcome.Retry && o.Reason == CredentialRefused {
					break
				}
				if c.version == tls.VersionTLS12 || o.Reason != FateUnknown {
					t.Fatalf("got %v %s %q", o.Kind, o.Reason, o.Detail)
				}
			}
			if o.Reason != CredentialRefused || !strings.Contains(o.Detail, c.detail) {
				t.Errorf("got %v %s %q, want %s", o.Kind, o.Reason, o.Detail, c.detail)
			}
		})
	}
}

func TestATokenEndpointElsewhereHasItsOwnName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := certificatetest.NewAuthority(t)
		server := func(name, body string) *piped {
			return tlsServer(t, authority.Server(t, name, time.Now(), time.Now().Add(time.Hour)), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, body)
			}, nil)
		}
		login, party := server("login.example", `{"access_token":"t","token_type":"Bearer","expires_in":600}`), server("api.internal", "{}")
		dir := t.TempDir()
		values := map[string]string{worker.CAKey: authority.PEM, worker.ClientIDKey: "shop", worker.ClientSecretKey: canary}
		mount(t, dir, "1", values)
		a := build(t, config("https://sms.example", func(c *Config) {
			c.Spec.Auth = &worker.Auth{Type: worker.AuthOAuth2, TokenURL: "https://login.example/token", In: "Header"}
			c.Spec.TLS = &worker.TLS{CA: true, ServerName: "api.internal"}
			base := NewTransport(nil, 10)
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "login.example:443" {
					return login.dial(ctx, network, addr)
				}
				return party.dial(ctx, network, addr)
			}
			c.CredentialDir, c.Secured = dir, NewSecured(c.Spec, dir, base)
			c.Transport = c.Secured
			t.Cleanup(c.Secured.CloseIdleConnections)
		}))
		if o := a.Call(t.Context(), request()); o.Kind != outcome.Done {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
	})
}

// Neither TLS of its own nor the environment leads around the guard.
func TestSecuredRequestsGoNowhereElse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := t.TempDir()
	mount(t, dir, "1", map[string]string{worker.CAKey: certificatetest.NewAuthority(t).PEM})
	for _, proxy := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(proxy, "http://"+listener.Addr().String())
	}
	for _, host := range []string{listener.Addr().String(), "sms.invalid"} {
		a := build(t, config("https://"+host, func(c *Config) {
			c.Spec.TLS = &worker.TLS{CA: true, ServerName: "sms.example"}
			c.Secured = NewSecured(c.Spec, dir, NewTransport(nil, 1))
			c.Transport = c.Secured
		}))
		o := a.Call(t.Context(), request())
		if host == "sms.invalid" && (o.Kind != outcome.Retry || o.Reason != ConnectionFailed) { // a proxy would have been refused, as this machine
			t.Errorf("%s: got %v %s %q", host, o.Kind, o.Reason, o.Detail)
		}
		if host != "sms.invalid" && (o.Kind != outcome.Park || o.Reason != AddressRefused) {
			t.Errorf("%s: got %v %s %q", host, o.Kind, o.Reason, o.Detail)
		}
	}
}

// net/http goes on connecting for requests to come; who never answers must not collect connections.
func TestAHandshakeThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := newPiped()
		t.Cleanup(func() { _ = silent.Close() })
		a := build(t, config("https://sms.example", func(c *Config) {
			transport := NewTransport(nil, 10)
			transport.DialContext = silent.dial
			c.Transport, c.Limits.Timeout = transport, worker.Duration(time.Second)
		}))
		answer := make(chan outcome.Outcome, 1)
		go func() { answer <- a.Call(t.Context(), request()) }()
		conn, _ := silent.Accept()
		if o := <-answer; o.Kind != outcome.Retry || o.Reason != Timeout {
			t.Errorf("got %v %s %q", o.Kind, o.Reason, o.Detail)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil { // until the other side closes
			t.Error(err)
		}
		_ = conn.Close()
	})
}
