// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/secret"
)

// keys are the files each way to authenticate needs that is in the request; a client certificate is not.
var keys = map[worker.AuthType][]string{
	worker.AuthBasic:  {worker.UsernameKey, worker.PasswordKey},
	worker.AuthBearer: {worker.TokenKey},
	worker.AuthAPIKey: {worker.APIKeyKey},
	worker.AuthOAuth2: {worker.ClientIDKey, worker.ClientSecretKey},
	worker.AuthHMAC:   {worker.HMACKeyIDKey, worker.HMACSecretKey},
}

// optional are files that may be there too: an HMAC key that is still valid while the newest becomes so.
var optional = map[worker.AuthType][]string{
	worker.AuthHMAC: {worker.HMACPreviousKeyIDKey, worker.HMACPreviousSecretKey},
}

// credentials are what an adapter's Secret holds, read again when it changes.
type credentials struct {
	// get returns the values; the last that could be used, while those there are now cannot.
	get func() (map[string]string, error)
	// problem says what is wrong with those there are now; nil if nothing is.
	problem atomic.Pointer[string]
}

func newCredentials(dir string, auth worker.AuthType) *credentials {
	c := &credentials{}
	var last map[string]string
	c.get = secret.Cached(func() (map[string]string, error) {
		values, err := readSecret(dir, auth)
		c.problem.Store(nil)
		if err == nil {
			last = values
		} else if last != nil {
			c.problem.Store(new(err.Error()))
			return last, nil
		}
		return values, err
	})
	return c
}

func readSecret(dir string, auth worker.AuthType) (map[string]string, error) {
	version, values := secret.Version(dir), map[string]string{}
	for _, key := range keys[auth] {
		value, err := secret.Text(version, key)
		if err != nil {
			return nil, err
		}
		values[key] = value
	}
	for _, key := range optional[auth] {
		value, err := secret.Text(version, key)
		if err == nil {
			values[key] = value
		} else if !errors.Is(err, secret.ErrMissing) {
			return nil, err
		}
	}
	return values, nil
}

// secrets are the values to authenticate with, or what keeps the third party from being called with what the adapter's Secrets hold.
func (a *Adapter) secrets() (values map[string]string, err error) {
	if a.secured != nil {
		if _, err := a.secured.get(); err != nil {
			return nil, err
		}
	}
	if a.credentials == nil {
		return nil, nil
	}
	return a.credentials.get()
}

// credentialProblem says what is wrong with what the Secrets hold now, while what they held before is used; "" if nothing is.
func (a *Adapter) credentialProblem() string {
	_, _ = a.secrets() // looks whether they changed: a pod without messages asks for none
	if a.credentials != nil {
		if problem := a.credentials.problem.Load(); problem != nil {
			return *problem
		}
	}
	if a.secured != nil {
		if problem := a.secured.problem.Load(); problem != nil {
			return *problem
		}
	}
	return ""
}

// authenticate adds what auth says to a request with this body.
func authenticate(r *http.Request, auth worker.Auth, values map[string]string, body []byte, now time.Time) {
	switch auth.Type {
	case worker.AuthBasic:
		r.SetBasicAuth(values[worker.UsernameKey], values[worker.PasswordKey])
	case worker.AuthBearer, worker.AuthOAuth2: // whose token authorized has added
		r.Header.Set("Authorization", "Bearer "+values[worker.TokenKey])
	case worker.AuthAPIKey:
		if auth.In == "Query" {
			query := r.URL.Query()
			query.Set(auth.Name, values[worker.APIKeyKey])
			r.URL.RawQuery = query.Encode()
			return
		}
		r.Header.Set(auth.Name, values[worker.APIKeyKey])
	case worker.AuthHMAC:
		timestamp := strconv.FormatInt(now.Unix(), 10)
		mac := hmac.New(sha256.New, []byte(values[worker.HMACSecretKey]))
		mac.Write([]byte(timestamp + "." + r.Method + "." + r.URL.RequestURI() + "."))
		mac.Write(body)
		r.Header.Set(auth.SignatureHeader, hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set(auth.TimestampHeader, timestamp)
		r.Header.Set(auth.KeyIDHeader, values[worker.HMACKeyIDKey])
	}
}
