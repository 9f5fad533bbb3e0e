// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/secret"
)

// keys are the files each way to authenticate needs.
var keys = map[worker.AuthType][]string{
	worker.AuthBasic:  {worker.UsernameKey, worker.PasswordKey},
	worker.AuthBearer: {worker.TokenKey},
	worker.AuthAPIKey: {worker.APIKeyKey},
	worker.AuthOAuth2: {worker.ClientIDKey, worker.ClientSecretKey},
	worker.AuthHMAC:   {worker.HMACKeyIDKey, worker.HMACSecretKey},
}

// credentials returns what reads the values an adapter's Secret has for these keys.
func credentials(dir string, keys []string) func() (map[string]string, error) {
	return secret.Cached(func() (map[string]string, error) {
		values := map[string]string{}
		for _, key := range keys {
			value, err := secret.Text(dir, key)
			if err != nil {
				return nil, err
			}
			values[key] = value
		}
		return values, nil
	})
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
