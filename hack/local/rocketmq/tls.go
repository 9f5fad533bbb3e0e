// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// writeTLS leaves the certificate where the nodes look for it and returns the options that make Java take it: nothing of the nodes' own configuration
// says so. Brokers speak TLS to the name server by themselves then, and verify nobody.
func (c *Cluster) writeTLS() ([]string, error) {
	if c.options.TLS == nil {
		return nil, nil
	}
	dir := filepath.Join(c.options.Dir, "tls")
	config := filepath.Join(dir, "tls.properties")
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	err := errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(certificate, []byte(c.options.TLS.Certificate), 0o600),
		os.WriteFile(key, []byte(c.options.TLS.Key), 0o600),
		os.WriteFile(config, properties(map[string]string{
			"tls.test.mode.enable": "false", // with it they would make a certificate of their own
			"tls.server.certPath":  certificate,
			"tls.server.keyPath":   key,
		}), 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("write the nodes' certificate: %w", err)
	}
	return []string{"-Dtls.server.mode=enforcing", "-Dtls.config.file=" + config}, nil
}

// dial connects to a node as its clients do.
func (c *Cluster) dial(ctx context.Context, addr string) (net.Conn, error) {
	if c.options.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(c.options.TLS.Authority))
	return (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted}}).DialContext(ctx, "tcp", addr)
}
