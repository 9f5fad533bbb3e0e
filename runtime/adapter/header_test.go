// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestHeaderNamesAreThoseOfARealRequest(t *testing.T) {
	var sent http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = r.Header }))
	defer server.Close()
	dir := t.TempDir()
	for _, key := range []string{worker.HMACKeyIDKey, worker.HMACSecretKey, worker.TokenKey} {
		if err := os.WriteFile(filepath.Join(dir, key), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, auth := range []*worker.Auth{
		nil, {Type: worker.AuthBearer}, {Type: worker.AuthHMAC, SignatureHeader: "X-Signature", TimestampHeader: "X-Time", KeyIDHeader: "X-Key-Id"},
	} {
		for _, body := range [][]byte{nil, []byte("{}")} {
			c := config(server.URL, func(c *Config) { c.Spec.Auth, c.CredentialDir = auth, dir })
			r := Request{Step: "push", Method: http.MethodPost, Path: "/send", Key: "k", Body: body}
			build(t, c).Call(t.Context(), r)
			maps.DeleteFunc(sent, func(name string, _ []string) bool { return name == "Content-Length" || name == "Accept-Encoding" }) // net/http's own
			if got, want := HeaderNames(t.Context(), c.Spec, r), slices.Sorted(maps.Keys(sent)); !slices.Equal(got, want) {
				t.Errorf("%+v: got %q, want %q", auth, got, want)
			}
		}
	}
}
