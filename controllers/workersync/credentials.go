// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// Lifetime of a certificate.
	Lifetime = 90 * 24 * time.Hour
	// rotateAfter is the age at which credentials are replaced.
	rotateAfter = Lifetime * 2 / 3
	// clockSkew between operator and pods that a new certificate is valid in spite of.
	clockSkew = time.Hour
)

// Keys of the credentials before the last rotation. The worker reads tls.crt, tls.key and token only.
const (
	previousCertificateKey = "previous-tls.crt"
	previousTokenKey       = "previous-token"
)

// Credentials are what a group's Secret holds: the pods' certificate, and the operator's token.
type Credentials struct {
	// Certificate and Key in PEM.
	Certificate, Key []byte
	// Token of the operator.
	Token string
	// PreviousCertificate in PEM and PreviousToken were replaced by these; empty if there were none.
	PreviousCertificate []byte
	PreviousToken       string
}

// NewCredentials makes credentials for pods that serve under serverName.
func NewCredentials(serverName string, now time.Time) (Credentials, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Credentials{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Credentials{}, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "orderflow worker"}, // the name that counts is in DNSNames, and may be longer than a CommonName can be
		DNSNames:     []string{serverName},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(Lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Credentials{}, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Credentials{}, fmt.Errorf("write the key: %w", err)
	}
	return Credentials{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		Token:       rand.Text(),
	}, nil
}

// Renew returns the credentials a group should have: c itself, or new ones beside which c stays known if c is old enough to be replaced.
// Credentials that do not serve serverName, or not at now, are replaced and forgotten.
func (c Credentials) Renew(serverName string, now time.Time) (Credentials, error) {
	certificate, err := c.check(serverName, now)
	if err == nil && now.Before(certificate.NotAfter.Add(rotateAfter-Lifetime)) {
		return c, nil
	}
	renewed, newErr := NewCredentials(serverName, now)
	if err == nil {
		renewed.PreviousCertificate, renewed.PreviousToken = c.Certificate, c.Token
	}
	return renewed, newErr
}

// check returns the certificate if pods can serve with it.
func (c Credentials) check(serverName string, now time.Time) (*x509.Certificate, error) {
	if c.Token == "" {
		return nil, errors.New("there is no token")
	}
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: serverName, Roots: roots, CurrentTime: now})
	return pair.Leaf, err
}

// ReadCredentials reads the data of a Secret; what is missing is empty.
func ReadCredentials(data map[string][]byte) Credentials {
	return Credentials{
		Certificate: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey], Token: string(data[worker.SyncTokenKey]),
		PreviousCertificate: data[previousCertificateKey], PreviousToken: string(data[previousTokenKey]),
	}
}

// Data is the data of the Secret.
func (c Credentials) Data() map[string][]byte {
	data := map[string][]byte{
		corev1.TLSCertKey: c.Certificate, corev1.TLSPrivateKeyKey: c.Key, worker.SyncTokenKey: []byte(c.Token),
	}
	if c.PreviousToken != "" {
		data[previousCertificateKey], data[previousTokenKey] = c.PreviousCertificate, []byte(c.PreviousToken)
	}
	return data
}

// Public are the credentials without the pods' private key: all that who calls pods needs, and all of thousands of groups that stays in memory.
func (c Credentials) Public() Credentials {
	c.Key, c.Certificate = nil, bytes.Clone(c.Certificate) // whose buffer was larger
	return c
}

// tokens are those a pod may expect, the newest first.
func (c Credentials) tokens() []string {
	if c.PreviousToken == "" {
		return []string{c.Token}
	}
	return []string{c.Token, c.PreviousToken}
}
