// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// alerts by which a server says that it does not take our certificate, or wants one. With TLS 1.3 they come after the request was written, and yet nobody has read it.
const (
	alertBadCertificate         tls.AlertError = 42
	alertUnsupportedCertificate tls.AlertError = 43
	alertCertificateRevoked     tls.AlertError = 44
	alertCertificateExpired     tls.AlertError = 45
	alertCertificateUnknown     tls.AlertError = 46
	alertUnknownCA              tls.AlertError = 48
	alertAccessDenied           tls.AlertError = 49
	alertCertificateRequired    tls.AlertError = 116
)

// alerted is the alert by which the third party ended TLS; "" if it did not.
func alerted(err error) string {
	if remote := (*net.OpError)(nil); errors.As(err, &remote) && remote.Op == "remote error" {
		return remote.Err.Error() // crypto/tls has a type of its own for alerts of a connection, with the same words
	}
	return ""
}

// unwelcome says what the third party has against our certificate; "" if it is about something else.
func unwelcome(alert string) string {
	if alert == alertCertificateRequired.Error() {
		return "a client certificate is required: see the adapter's auth, type MTLS"
	}
	for _, about := range []tls.AlertError{
		alertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked, alertCertificateExpired, alertCertificateUnknown, alertUnknownCA, alertAccessDenied,
	} {
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
