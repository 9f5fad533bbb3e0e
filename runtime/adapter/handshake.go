// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// alerted is the alert by which the third party ended TLS; "" if it did not.
func alerted(err error) string {
	if remote := (*net.OpError)(nil); errors.As(err, &remote) && remote.Op == "remote error" {
		return remote.Err.Error() // crypto/tls has a type of its own for alerts of a connection, with the same words
	}
	return ""
}

// unwelcome says what the third party has against our certificate; "" if it is about something else. With TLS 1.3 such an alert comes after the
// request was written, and yet nobody has read it. The numbers are those of RFC 8446, section 6.
func unwelcome(alert string) string {
	if required := tls.AlertError(116); alert == required.Error() {
		return "a client certificate is required: see the adapter's auth, type MTLS"
	}
	// Bad, unsupported, revoked, expired, unknown certificate; unknown authority; access denied.
	for _, about := range []tls.AlertError{42, 43, 44, 45, 46, 48, 49} {
		if alert == about.Error() {
			return "the client certificate is not taken (" + alert + "): see the adapter's auth"
		}
	}
	return ""
}

// untrusted says why the third party's certificate is not.
func untrusted(err error) string {
	const cannot = "the host's certificate cannot be verified"
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return cannot + ": nobody who is trusted has signed it, see the adapter's tls.caSecretRef"
	case errors.As(err, &name):
		return cannot + ": it is for another name, see the adapter's url and tls.serverName"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return cannot + ": it has ended, or has not begun"
	}
	return cannot
}
