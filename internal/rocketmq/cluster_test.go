// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

// resolver is a DNS of the test.
type resolver struct {
	mu    sync.Mutex
	hosts map[string][]string
	asked int
}

func (r *resolver) LookupHost(_ context.Context, host string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if ips := r.hosts[host]; len(ips) > 0 {
		return ips, nil
	}
	return nil, fmt.Errorf("no such host %s", host)
}

func (r *resolver) move(host string, ips ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts[host] = ips
}

func TestAnAddressThatIsWrongIsRefusedWithAReason(t *testing.T) {
	for addr, want := range map[string]string{
		"":                      "write host:port",
		"mq":                    "write host:port",
		":9876":                 "write host:port",
		"mq:":                   "not a number from 1 to 65535",
		"mq:70000":              "not a number from 1 to 65535",
		"mq:0":                  "not a number from 1 to 65535",
		"https://mq:9876":       "without a path",
		"http://mq:9876/path":   "without a path",
		"mq-0:9876;mq-1:9876":   "several are several entries",
		"fd00::1:9876":          "write host:port",
		"http://http://mq:9876": "without a path",
	} {
		_, err := rocketmq.NewCluster(nil, []string{"ok:9876", addr}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", addr)) {
			t.Errorf("%q: got %v, want %q in it", addr, err, want)
		}
	}
	for _, addr := range []string{"mq:9876", "http://mq:9876", " 10.0.0.1:9876 ", "[fd00::1]:9876"} {
		if _, err := rocketmq.NewCluster(nil, []string{addr}, nil); err != nil {
			t.Errorf("%q: %v", addr, err)
		}
	}
	if _, err := rocketmq.NewCluster(nil, nil, nil); err == nil {
		t.Error("no address at all is accepted")
	}
}

// names is a cluster whose name server "mq" is at the addresses of alive; all
// others that are dialled behave as dead says.
func names(t *testing.T, dns *resolver, alive func(ip string) bool, dead func() (net.Conn, error)) (*rocketmq.Cluster, *fake.Cluster) {
	mq := fake.StartInMemory(t, fake.Config{})
	client := rocketmq.NewClient(rocketmq.Config{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(to); !alive(host) {
			return dead()
		}
		return mq.DialContext(ctx, network, mq.NameServer())
	}})
	t.Cleanup(client.Close)
	c, err := rocketmq.NewCluster(client, []string{"mq:9876", "mq-2:9876"}, dns)
	if err != nil {
		t.Fatal(err)
	}
	return c, mq
}

func refuse() (net.Conn, error) { return nil, errors.New("connection refused") }

func TestTheNextNameServerAnswersForADeadOne(t *testing.T) {
	for says, dead := range map[string]func() (net.Conn, error){
		"it refuses connections": refuse,
		"it hangs": func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		},
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dns := &resolver{hosts: map[string][]string{"mq": {"10.0.0.1"}, "mq-2": {"10.0.0.2"}}}
				c, mq := names(t, dns, func(ip string) bool { return ip == "10.0.0.2" }, dead)
				for range 3 {
					masters, err := c.Masters(within(t, 10*time.Second), "DefaultCluster")
					if err != nil || len(masters) != 1 || masters[0].Master() != mq.Broker().Addr() {
						t.Fatalf("got %v, %v", masters, err)
					}
				}
				began := time.Now()
				if _, err := c.Info(within(t, 10*time.Second)); err != nil || time.Since(began) > time.Second {
					t.Errorf("the one that answered is not asked first: %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

func TestANameServerThatMovesIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &resolver{hosts: map[string][]string{"mq": {"10.0.0.1"}}}
		var at atomic.Value
		at.Store("10.0.0.1")
		c, mq := names(t, dns, func(ip string) bool { return ip == at.Load() }, refuse)
		if _, err := c.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		at.Store("10.0.0.9") // as a pod does
		dns.move("mq", "10.0.0.9")
		mq.Cut("")
		synctest.Wait()
		if _, err := c.Info(t.Context()); err != nil {
			t.Errorf("after it moved: %v", err)
		}
		asked := dns.asked
		time.Sleep(time.Minute)
		if _, err := c.Info(t.Context()); err != nil || dns.asked == asked {
			t.Errorf("after a minute: %v, looked up again: %v", err, dns.asked > asked)
		}
	})
}

func TestANameServerIsAskedOnWhileNamesCannotBeLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &resolver{hosts: map[string][]string{"mq": {"10.0.0.1"}}}
		c, _ := names(t, dns, func(string) bool { return true }, refuse)
		if _, err := c.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		dns.move("mq")
		time.Sleep(time.Minute)
		if _, err := c.Info(t.Context()); err != nil {
			t.Errorf("the name server answers, and only its name is unknown: %v", err)
		}
	})
}

func TestNoNameServerIsUnreachableWithAllReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &resolver{hosts: map[string][]string{"mq": {"10.0.0.1"}}}
		c, _ := names(t, dns, func(string) bool { return false }, refuse)
		_, err := c.Info(t.Context())
		if !errors.Is(err, rocketmq.ErrUnreachable) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		dns.move("mq")
		_, err = c.Info(t.Context())
		if !errors.Is(err, rocketmq.ErrUnreachable) || !strings.Contains(err.Error(), "no such host mq-2") {
			t.Errorf("got %v", err)
		}
	})
}

func TestARouteIsDeletedAtEveryNameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &resolver{hosts: map[string][]string{"mq": {"10.0.0.1", "10.0.0.2"}, "mq-2": {"10.0.0.3"}}}
		c, mq := names(t, dns, func(string) bool { return true }, refuse)
		if err := c.DeleteRoute(t.Context(), "orders"); err != nil {
			t.Fatal(err)
		}
		if n := len(mq.Calls(rocketmq.OpDeleteRoute)); n != 3 {
			t.Errorf("%d of 3 name servers were told", n)
		}
	})
}

func TestACertificateMustBearTheNameThatWasConfigured(t *testing.T) {
	cert, pool := certificate(t, "mq.example")
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				answering(conn)
			})
		}
	})
	defer served.Wait()
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	trusting := func() (*tls.Config, error) { return &tls.Config{RootCAs: pool}, nil }
	client := rocketmq.NewClient(rocketmq.Config{TLS: trusting})
	defer client.Close()
	for host, ok := range map[string]bool{"mq.example": true, "other.example": false} {
		dns := &resolver{hosts: map[string][]string{host: {"127.0.0.1"}}}
		c, err := rocketmq.NewCluster(client, []string{net.JoinHostPort(host, port)}, dns)
		if err != nil {
			t.Fatal(err)
		}
		err = c.DeleteRoute(within(t, 10*time.Second), "orders")
		var wrong x509.HostnameError
		if ok && err != nil || !ok && !errors.As(err, &wrong) {
			t.Errorf("%s: %v", host, err)
		}
		client.Close()
		client = rocketmq.NewClient(rocketmq.Config{TLS: trusting})
	}
	client.Close()
}

func certificate(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestRequestsAreSignedWithTheCredentialsOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "s3cret"
		mq := fake.StartInMemory(t, fake.Config{Credentials: rocketmq.Credentials{AccessKey: "orderflow", SecretKey: secret}})
		var current atomic.Pointer[rocketmq.Credentials]
		client := rocketmq.NewClient(rocketmq.Config{DialContext: mq.DialContext, Credentials: func() rocketmq.Credentials { return *current.Load() }})
		defer client.Close()
		for _, c := range []struct {
			says string
			cred rocketmq.Credentials
			want error
		}{
			{"none", rocketmq.Credentials{}, rocketmq.ErrPermission},
			{"a wrong secret", rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "old"}, rocketmq.ErrPermission},
			{"the right ones", rocketmq.Credentials{AccessKey: "orderflow", SecretKey: secret}, nil},
			{"with a token", rocketmq.Credentials{AccessKey: "orderflow", SecretKey: secret, SecurityToken: "sts"}, nil},
			{"the wrong ones again", rocketmq.Credentials{AccessKey: "orderflow", SecretKey: "new"}, rocketmq.ErrPermission},
		} {
			current.Store(&c.cred)
			if err := client.PutGroup(t.Context(), mq.Broker().Addr(), rocketmq.NewGroupConfig("g")); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.says, err, c.want)
			}
		}
	})
}

func TestABrokerThatHasJustStartedIsAskedAgainForItsFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mq := fake.StartInMemory(t, fake.Config{})
		client := rocketmq.NewClient(rocketmq.Config{DialContext: mq.DialContext})
		t.Cleanup(client.Close)
		mq.Inject(fake.Fault{Op: rocketmq.OpBrokerRuntime, Times: 3, Code: rocketmq.CodeSystemError, Remark: "java.util.NoSuchElementException, java.base/java.util.LinkedList.getLast(LinkedList.java:261)"})
		runtime, err := client.BrokerRuntime(t.Context(), mq.Broker().Addr())
		if err != nil || runtime.Version() == "" {
			t.Errorf("runtime %v, error %v, want that of a broker that has begun to sample", runtime, err)
		}
		mq.Inject(fake.Fault{Op: rocketmq.OpBrokerRuntime, Code: rocketmq.CodeSystemError, Remark: "java.lang.NullPointerException"})
		began := time.Now()
		if _, err := client.BrokerRuntime(t.Context(), mq.Broker().Addr()); err == nil || time.Since(began) > 0 {
			t.Errorf("error %v after %v, want the broker's own at once", err, time.Since(began))
		}
	})
}

func TestWhatABrokerSaysOfAUserIsToldWithoutItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mq := fake.StartInMemory(t, fake.Config{})
		client := rocketmq.NewClient(rocketmq.Config{DialContext: mq.DialContext, Credentials: func() rocketmq.Credentials {
			return rocketmq.Credentials{AccessKey: "canary-user", SecretKey: "canary-secret", SecurityToken: "canary-token"}
		}})
		defer client.Close()
		mq.Inject(fake.Fault{Host: "broker-a", Code: rocketmq.CodeNoPermission, Remark: "User:canary-user has no permission with canary-token, canary-secret"})
		_, err := client.BrokerConfig(t.Context(), mq.Broker().Addr())
		if !errors.Is(err, rocketmq.ErrPermission) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "User:<access key> has no permission") {
			t.Errorf("got %v", err)
		}
	})
}
