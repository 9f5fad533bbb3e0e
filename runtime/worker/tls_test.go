// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/certificate"
	"github.com/orderflow-dev/orderflow/internal/certificate/certificatetest"
	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// TestAWorkerSpeaksTLSWithWhomItTrusts has a worker trust the wrong authority first: it sends nothing, and begins when its file is corrected.
func TestAWorkerSpeaksTLSWithWhomItTrusts(t *testing.T) {
	ours, others := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	cert, key := ours.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	user := rocketmq.User{Name: "orderflow", Password: "orderflow-secret"}
	mq := broker.Own(t, rocketmq.Options{ACL: &user, TLS: &rocketmq.TLS{Certificate: cert, Key: key, Authority: ours.PEM}})
	s := newSecuredShop(t, mq.NameServer(), remoting.Config{
		TLS: func() (*tls.Config, error) { return certificate.Client([]byte(ours.PEM), "") },
		Credentials: func() remoting.Credentials {
			return remoting.Credentials{AccessKey: user.Name, SecretKey: user.Password}
		},
	})
	third := newProvider(t)
	structure := structureFor(third.server.URL)
	structure.NameServers, structure.Topic, structure.Group = []string{mq.NameServer()}, s.topic, s.group
	structure.PrivateNetworks = []string{third.addr.String() + "/32"}
	structure.ACL, structure.BrokerTLS = true, &worker.BrokerTLS{CA: true}
	f := newFiles(t, structure, liveFor("r1", nil))
	f.BrokerTLSDir = filepath.Join(f.dir, "broker-tls")
	f.write(filepath.Join(f.BrokerDir, worker.AccessKeyKey), []byte(user.Name))
	f.write(filepath.Join(f.BrokerDir, worker.SecretKeyKey), []byte(user.Password))
	f.write(filepath.Join(f.BrokerTLSDir, worker.CAKey), []byte(others.PEM))
	s.pay(0, 3)

	corrected := make(chan struct{})
	go func() {
		defer close(corrected)
		for !strings.Contains(f.logs.text(), "unknown authority") {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		f.write(filepath.Join(f.BrokerTLSDir, worker.CAKey), []byte(ours.PEM))
	}()
	start(t, f) // returns when it is a member of its group, which it cannot be before it trusts the broker
	<-corrected
	eventually(t, "the calls", func() bool { return len(third.accepted()) == 3 })
	eventually(t, "the commits", func() bool { return s.committed() == 3 })
}

func TestAWorkerGoesOnWithWhomItTrusted(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	structure := structureFor("https://sms.example.com")
	structure.BrokerTLS = &worker.BrokerTLS{CA: true, ServerName: "mq.example"}
	f := newFiles(t, structure, liveFor("r1", nil))
	f.BrokerTLSDir = filepath.Join(f.dir, "broker-tls")
	w := &Worker{options: f.Options, structure: structure, log: f.Log}

	if _, err := w.brokerTLS()(); err == nil || !strings.Contains(err.Error(), `the Secret's key "ca.crt" is missing`) {
		t.Errorf("without a file: %v", err)
	}
	ca := filepath.Join(f.BrokerTLSDir, worker.CAKey)
	f.write(ca, []byte(authority.PEM))
	read := w.trust(structure.BrokerTLS)
	first, err := read()
	if err != nil || first.RootCAs == nil || first.ServerName != "mq.example" {
		t.Fatalf("got %+v, %v", first, err)
	}
	f.write(ca, []byte("no PEM"))
	if second, err := read(); err != nil || second != first || !strings.Contains(f.logs.text(), "ca.crt has no certificate") {
		t.Errorf("with a bad file: %+v, %v; log: %s", second, err, f.logs.text())
	}
}
