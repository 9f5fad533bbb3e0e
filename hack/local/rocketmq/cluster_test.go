// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	remoting "github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// parentDir, when set, makes the test binary a parent of a cluster in that folder, for a test to kill.
const parentDir = "ORDERFLOW_TEST_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		os.Exit(parent(dir))
	}
	goleak.VerifyTestMain(m)
}

// parent starts a cluster, prints the addresses of its nodes and waits for a death of any kind.
func parent(dir string) int {
	c, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(c.NameServer())
	fmt.Println(c.BrokerAddr(DefaultBroker))
	_, _ = io.Copy(io.Discard, os.Stdin) // never ends: the test keeps the other end open
	return 0
}

// start runs a cluster that ends with the test.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Dir = t.TempDir()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	began := time.Now()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %s", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		began := time.Now()
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
	})
	return c
}

func client(t *testing.T, user User) *remoting.Client {
	c := remoting.NewClient(remoting.Config{Credentials: func() remoting.Credentials {
		return remoting.Credentials{AccessKey: user.Name, SecretKey: user.Password}
	}})
	t.Cleanup(c.Close)
	return c
}

// mustFail checks that err is there and says what is wrong in these words.
func mustFail(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got the error %v, want one that says %q", err, words)
	}
}

func TestABrokerKeepsItsMessagesAndItsPortWhateverHappensToIt(t *testing.T) {
	const topic = "Orders"
	ctx := t.Context()
	c := start(t, Options{Brokers: []Broker{{Name: "broker-a"}, {Name: "broker-b"}}})
	rocketmq := client(t, User{})
	queue := remoting.Queue{Topic: topic, Broker: "broker-a", ID: 0}
	addr := c.BrokerAddr("broker-a")
	err := rocketmq.PutTopic(ctx, addr, remoting.TopicConfig{
		Name: topic, ReadQueues: 1, WriteQueues: 1, Perm: remoting.PermRead | remoting.PermWrite,
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := int64(0)
	send := func(t *testing.T) {
		t.Helper()
		_, err := rocketmq.Send(ctx, addr, remoting.SendRequest{
			Group: "producer", Queue: queue, Messages: []remoting.OutMessage{{Body: []byte("paid")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		sent++
	}
	holdsAll := func(t *testing.T) {
		t.Helper()
		held := int64(0)
		// It counts a little later than it confirms.
		for deadline := time.Now().Add(time.Minute); held < sent && time.Now().Before(deadline); time.Sleep(bootPoll) {
			var err error
			if held, err = rocketmq.MaxOffset(ctx, addr, queue); err != nil {
				t.Fatal(err)
			}
		}
		if held != sent {
			t.Errorf("the broker holds %d messages, %d were acknowledged", held, sent)
		}
	}

	t.Run("mqadmin lists both brokers under the addresses we report", func(t *testing.T) {
		_, err := AdminUntil(func() (string, error) { return c.Admin(ctx, "clusterList") },
			ClusterName, "broker-a", addr, "broker-b", c.BrokerAddr("broker-b"), "V5_5_0")
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a running broker cannot be started again", func(t *testing.T) {
		mustFail(t, c.StartBroker(ctx, "broker-a"), "is running already")
	})
	t.Run("stopped and started, it has its messages", func(t *testing.T) {
		send(t)
		if err := c.StopBroker(ctx, "broker-a"); err != nil {
			t.Fatal(err)
		}
		mustFail(t, c.StopBroker(ctx, "broker-a"), "is not running")
		if err := c.StartBroker(ctx, "broker-a"); err != nil {
			t.Fatal(err)
		}
		holdsAll(t)
	})
	t.Run("killed and started, it has its messages", func(t *testing.T) {
		send(t)
		if err := c.KillBroker("broker-a"); err != nil {
			t.Fatal(err)
		}
		if err := c.StartBroker(ctx, "broker-a"); err != nil {
			t.Fatal(err)
		}
		holdsAll(t)
	})
	t.Run("paused, it alone does not answer; resumed, it does", func(t *testing.T) {
		send(t)
		if err := c.Pause("broker-a"); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := rocketmq.MaxOffset(short, addr, queue); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call to a paused broker ended with %v, want its deadline", err)
		}
		if _, err := rocketmq.BrokerRuntime(ctx, c.BrokerAddr("broker-b")); err != nil {
			t.Errorf("the other broker: %v", err)
		}
		if err := c.Resume("broker-a"); err != nil {
			t.Fatal(err)
		}
		holdsAll(t)
	})
	t.Run("a broker nobody named is refused", func(t *testing.T) {
		mustFail(t, c.KillBroker("broker-z"), `no broker is called "broker-z"`)
		mustFail(t, c.StartBroker(ctx, "broker-z"), `no broker is called "broker-z"`)
	})
}

func TestWithACLOnlyTheRightKeyIsServed(t *testing.T) {
	admin := User{Name: "orderflow", Password: "s3cret-key"}
	c := start(t, Options{ACL: &admin})
	addr := c.BrokerAddr(DefaultBroker)
	for name, user := range map[string]User{
		"no key":        {},
		"a wrong key":   {Name: admin.Name, Password: "wrong"},
		"another's key": {Name: "stranger", Password: admin.Password},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := client(t, user).BrokerConfig(t.Context(), addr)
			var refusal *remoting.Error
			if !errors.As(err, &refusal) || refusal.Code != remoting.CodeNoPermission {
				t.Errorf("got %v, want code %d", err, remoting.CodeNoPermission)
			}
		})
	}
	t.Run("the administrator is served", func(t *testing.T) {
		if _, err := client(t, admin).BrokerConfig(t.Context(), addr); err != nil {
			t.Error(err)
		}
	})
	t.Run("mqadmin is served with the administrator's key and refused without", func(t *testing.T) {
		const served = "authenticationEnabled"
		get := []string{"getBrokerConfig", "-b", addr}
		if _, err := AdminUntil(func() (string, error) { return c.Admin(t.Context(), get...) }, served); err != nil {
			t.Errorf("with the key: %v", err)
		}
		out, err := AdminUntil(func() (string, error) { return c.distribution.Admin(t.Context(), c.NameServer(), t.TempDir(), get...) }, "CODE: 16")
		if err != nil || strings.Contains(out, served) {
			t.Errorf("without it: %v\n%s", err, out)
		}
	})
}

func TestAStartThatFailsSaysWhyAndLeavesNothingRunning(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nameServerPort, err := freeBlock("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{
		Dir: t.TempDir(), NameServerPort: nameServerPort,
		Brokers: []Broker{{Name: DefaultBroker, Port: taken.Addr().(*net.TCPAddr).Port}},
	})
	mustFail(t, err, DefaultBroker+" ended while it started")
	mustFail(t, err, "in use")
	if !blockFree("127.0.0.1", nameServerPort-portInBlock) {
		t.Error("the name server still listens")
	}
}

func TestNodesDieWithAParentThatIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), parentDir+"="+t.TempDir())
	cmd.Stderr = t.Output()
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var addrs []string
	for len(addrs) < 2 && lines.Scan() {
		addrs = append(addrs, lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that the process was killed
	if len(addrs) < 2 {
		t.Fatal("the parent did not start its cluster")
	}
	for _, addr := range addrs {
		awaitClosed(t, addr)
	}
}

// awaitClosed returns when nobody listens on addr any more.
func awaitClosed(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(bootPoll) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Errorf("%s still listens although the parent is dead", addr)
}
