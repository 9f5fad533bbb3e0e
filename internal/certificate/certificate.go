// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// Pair is the client certificate in these, which must be valid now. What comes between it and the root is sent along.
func Pair(certificate, key []byte, now time.Time) (tls.Certificate, error) {
	leaf, err := Leaf(certificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil { // which of the two it is, it says in words of the files
		return tls.Certificate{}, fmt.Errorf("%s cannot be read, or is not the key of the certificate in %s", worker.PrivateKeyKey, worker.CertificateKey)
	}
	if err := Valid(leaf, now); err != nil {
		return tls.Certificate{}, err
	}
	pair.Leaf = leaf
	return pair, nil
}

// Valid says why a client certificate cannot be used at that time.
func Valid(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate in %s has ended at %s", worker.CertificateKey, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate in %s begins at %s", worker.CertificateKey, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Pool is what the certificates in authorities vouch for, beside what is in pool already.
func Pool(pool *x509.CertPool, authorities []byte) (*x509.CertPool, error) {
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s has no certificate that can be read", worker.CAKey)
	}
	return pool, nil
}

// Client is how a client speaks TLS that trusts these authorities, the public roots where there are none, and wants certificates for that name; where it is
// empty, for whom it dials.
func Client(authorities []byte, serverName string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if len(authorities) == 0 {
		return config, nil
	}
	var err error
	config.RootCAs, err = Pool(x509.NewCertPool(), authorities)
	return config, err
}

// Leaf is the first certificate, for which the others vouch.
func Leaf(certificates []byte) (*x509.Certificate, error) {
	none := errors.New(worker.CertificateKey + " has no certificate that can be read")
	for block, rest := pem.Decode(certificates); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, none
		}
		return leaf, nil
	}
	return nil, none
}
