// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/certificate"
	"github.com/orderflow-dev/orderflow/runtime/secret"
)

// Secured is the transport of an adapter with TLS of its own: a client certificate, certificates to trust, a name or a version. When their files change it
// goes on with new connections; requests on their way end on those of before. It is safe for concurrent use.
type Secured struct {
	spec worker.Adapter
	host string
	dir  string
	base *http.Transport
	get  func() (*trust, error)
	held atomic.Pointer[trust]
	// problem says what is wrong with the files there are now, while those of before are used; nil if nothing is.
	problem atomic.Pointer[string]
}

// trust is what came of the files at one time.
type trust struct {
	files files
	// leaf is the client certificate; nil if there is none.
	leaf *x509.Certificate
	// party is for requests to the third party. elsewhere is for those to a token endpoint at another host, of which server name and client certificate do
	// not speak.
	party, elsewhere *http.Transport
}

// files are what TLS is made of, as text so that they can be compared. Those an adapter does not have are empty.
type files struct{ certificate, key, authorities string }

// NewSecured returns the transport of the adapter whose files are in dir, a variant of base; nil if the adapter has no TLS of its own.
func NewSecured(spec worker.Adapter, dir string, base *http.Transport) *Secured {
	if spec.TLS == nil && !showsCertificate(spec) {
		return nil
	}
	s := &Secured{spec: spec, dir: dir, base: base}
	if u, err := url.Parse(spec.URL); err == nil { // else New refuses it
		s.host = u.Host
	}
	s.get = secret.Cached(s.refresh)
	return s
}

// refresh looks at the files, and returns what is to be used: what they were before, while they cannot be used.
func (s *Secured) refresh() (*trust, error) {
	held := s.held.Load()
	fresh, err := s.load(held)
	s.problem.Store(nil)
	switch {
	case err != nil && held == nil:
		return nil, err
	case err != nil:
		s.problem.Store(new(err.Error()))
		fresh = held
	case fresh != held:
		s.held.Store(fresh)
		held.drain()
	}
	if fresh.leaf == nil {
		return fresh, nil
	}
	return fresh, certificate.Valid(fresh.leaf, time.Now())
}

// showsCertificate: the adapter authenticates by TLS.
func showsCertificate(spec worker.Adapter) bool {
	return spec.Auth != nil && spec.Auth.Type == worker.AuthMTLS
}

// RoundTrip implements http.RoundTripper.
func (s *Secured) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := s.get()
	if err != nil {
		_ = r.Body.Close()
		return nil, err
	}
	if r.URL.Host == s.host {
		return t.party.RoundTrip(r)
	}
	return t.elsewhere.RoundTrip(r)
}

// CloseIdleConnections closes those that no request is using.
func (s *Secured) CloseIdleConnections() {
	s.held.Load().drain()
}

// drain lets requests end, and closes what no request is using any more. One that is about to begin may leave a connection, for idleTimeout.
func (t *trust) drain() {
	if t != nil {
		t.party.CloseIdleConnections()
		t.elsewhere.CloseIdleConnections()
	}
}

// load reads the files, and returns held where they are those it came of.
func (s *Secured) load(held *trust) (*trust, error) {
	seen, err := s.read()
	if err != nil || held != nil && seen == held.files {
		return held, err
	}
	t := &trust{files: seen, party: s.base.Clone(), elsewhere: s.base.Clone()}
	t.party.TLSClientConfig, t.elsewhere.TLSClientConfig = s.config(), s.config()
	if s.spec.TLS != nil {
		t.party.TLSClientConfig.ServerName = s.spec.TLS.ServerName
	}
	if seen.authorities != "" {
		public, err := x509.SystemCertPool()
		if err != nil {
			public = x509.NewCertPool() // a machine without any
		}
		if t.party.TLSClientConfig.RootCAs, err = certificate.Pool(x509.NewCertPool(), []byte(seen.authorities)); err != nil {
			return nil, err
		}
		if t.elsewhere.TLSClientConfig.RootCAs, err = certificate.Pool(public, []byte(seen.authorities)); err != nil {
			return nil, err
		}
	}
	if seen.certificate != "" {
		pair, err := certificate.Pair([]byte(seen.certificate), []byte(seen.key), time.Now())
		if err != nil {
			return nil, err
		}
		t.leaf = pair.Leaf
		// Given as Certificates it would be kept back from a server whose list of authorities is not complete, as is common.
		t.party.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return t, nil
}

func (s *Secured) config() *tls.Config {
	if s.spec.TLS != nil && s.spec.TLS.MinVersion == worker.TLS13 {
		return &tls.Config{MinVersion: tls.VersionTLS13}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// read reads the files of one version.
func (s *Secured) read() (seen files, err error) {
	version := secret.Version(s.dir)
	if showsCertificate(s.spec) {
		if seen.certificate, err = secret.File(version, worker.CertificateKey); err != nil {
			return files{}, err
		}
		if seen.key, err = secret.File(version, worker.PrivateKeyKey); err != nil {
			return files{}, err
		}
	}
	if s.spec.TLS != nil && s.spec.TLS.CA {
		if seen.authorities, err = secret.File(version, worker.CAKey); err != nil {
			return files{}, err
		}
	}
	return seen, nil
}
