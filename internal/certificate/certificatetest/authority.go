// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificatetest issues certificates for tests.
package certificatetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	// PEM is its own certificate.
	PEM  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority returns one whose own certificate lasts a year, from two days ago.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{}
	a.cert = template("authority", time.Now().Add(-48*time.Hour), time.Now().Add(365*24*time.Hour))
	a.cert.IsCA, a.cert.BasicConstraintsValid, a.cert.KeyUsage = true, true, x509.KeyUsageCertSign
	der, key := a.sign(t, a.cert)
	a.key, a.PEM = key, encode("CERTIFICATE", der)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert = parsed
	return a
}

// Issue returns a certificate for a host or client of that name or address, and its key, both as PEM.
func (a *Authority) Issue(t testing.TB, name string, from, until time.Time) (certificate, key string) {
	t.Helper()
	der, private := a.sign(t, template(name, from, until))
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", raw)
}

// Server is how a server of that name speaks TLS, whose certificate is valid for so long.
func (a *Authority) Server(t testing.TB, name string, from, until time.Time) *tls.Config {
	t.Helper()
	certificate, key := a.Issue(t, name, from, until)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
}

// Demanding is a server's TLS that takes only clients with a certificate of the authority.
func (a *Authority) Demanding(server *tls.Config) *tls.Config {
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	server = server.Clone()
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, clients
	return server
}

// sign makes a key and the certificate of it; the authority's own, where it has no key yet.
func (a *Authority) sign(t testing.TB, c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func template(name string, from, until time.Time) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	return c
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
