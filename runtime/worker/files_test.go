// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/rocketmq/rocketmqtest"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(inProcess); dir != "" {
		os.Exit(runInProcess(dir))
	}
	broker.Main(m, rocketmqtest.Leaks()...) // of the official client, which sends
}

// phone, password and token are values that nothing of a worker but its requests may contain.
const (
	phone    = "+8613800000000"
	password = "s3cr3t-value"
	token    = "sync-t0ken-value"
)

// files are a worker's, in a folder of the test's own.
type files struct {
	t    testing.TB
	dir  string
	logs *buffer
	Options
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

func structureFor(url string) worker.Structure {
	return worker.Structure{
		Version: worker.Version, Namespace: "shop", Name: "order-paid-push",
		NameServers: []string{"127.0.0.1:9"}, Group: "push_group", Topic: "Orders", TagExpression: "*",
		Mode: worker.ModePush, MaxUncommitted: 64, Concurrency: 1, TerminationGrace: worker.Duration(20 * time.Second),
		Retry:   worker.Retry{MaxAttempts: 3, MaxDuration: worker.Duration(time.Hour)},
		Handler: worker.Handler{Type: worker.HandlerPush, Push: &worker.PushHandler{Adapter: "sms", Path: "/send", TemplateID: "t", ToExpression: "order.phone"}},
		Adapters: []worker.Adapter{{
			Name: "sms", URL: url, Auth: &worker.Auth{Type: worker.AuthBearer}, SuccessExpression: "response.body.code == 'OK'",
			Idempotency: worker.Idempotency{KeysHonoured: true, Header: "Idempotency-Key", Window: worker.Duration(time.Hour)},
		}},
	}
}

func liveFor(revision string, change func(*worker.AdapterLimits)) worker.Live {
	limits := worker.AdapterLimits{
		Name: "sms", Timeout: worker.Duration(10 * time.Second), RequestAttempts: 1, RetryDelay: worker.Duration(10 * time.Millisecond),
		Breaker: worker.Breaker{FailurePercentage: 1, MinimumRequests: 1, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(500 * time.Millisecond)},
	}
	if change != nil {
		change(&limits)
	}
	return worker.Live{Version: worker.Version, Revision: revision, Adapters: []worker.AdapterLimits{limits}}
}

// optionsIn are those of a worker with its files in a folder.
func optionsIn(dir string) Options {
	return Options{
		StructureFile: filepath.Join(dir, "structure.json"), LiveFile: filepath.Join(dir, "live.json"), JournalFile: filepath.Join(dir, "in-flight"),
		SyncDir: filepath.Join(dir, "sync"), BrokerDir: filepath.Join(dir, "broker"), AdapterDir: filepath.Join(dir, "adapters"),
		SyncAddress: "127.0.0.1:0", HealthAddress: "127.0.0.1:0", Instance: "worker-0",
	}
}

func newFiles(t testing.TB, s worker.Structure, l worker.Live) *files {
	t.Helper()
	dir := t.TempDir()
	f := &files{t: t, dir: dir, logs: &buffer{}}
	f.Options = optionsIn(dir)
	f.Log = slog.New(slog.NewJSONHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.writeJSON(f.StructureFile, s)
	f.writeJSON(f.LiveFile, l)
	f.write(filepath.Join(f.AdapterDir, "sms", worker.TokenKey), []byte(password))
	f.write(filepath.Join(f.SyncDir, worker.SyncTokenKey), []byte(token))
	f.writeCertificate(worker.SyncServerName(s.Namespace, s.Name))
	return f
}

func (f *files) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) write(path string, data []byte) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(path), 0o700))
	f.must(os.WriteFile(path, data, 0o600))
}

func (f *files) writeJSON(path string, v any) {
	f.t.Helper()
	data, err := json.Marshal(v)
	f.must(err)
	f.write(path, data)
}

// writeCertificate makes the group's certificate, as the operator would, signed by itself.
func (f *files) writeCertificate(name string) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	f.must(err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	f.must(err)
	f.write(filepath.Join(f.SyncDir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	f.write(filepath.Join(f.SyncDir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
