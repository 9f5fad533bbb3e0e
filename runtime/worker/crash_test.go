// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// inProcess names, in a child's environment, the folder with the files of the worker it is to be.
const inProcess = "ORDERFLOW_TEST_WORKER_FILES"

// runInProcess is a worker as a process of its own, ended by a signal or, when its standard input ends, in order.
func runInProcess(dir string) int {
	options := optionsIn(dir)
	options.Instance = filepath.Base(dir)
	options.Log = slog.New(slog.NewJSONHandler(os.Stdout, nil))
	w, err := New(options)
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		err = w.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// killer is a third party whose answer to one order never arrives, since the process that asks is killed: it is known by the path it asks at.
type killer struct {
	poison string

	mu        sync.Mutex
	processes map[string]*os.Process
	deaths    map[string]int
	inside    int   // requests under way
	beside    []int // how many were under way at each death
	done      map[string]int
}

func newKiller(poison string) *killer {
	return &killer{poison: poison, processes: map[string]*os.Process{}, deaths: map[string]int{}, done: map[string]int{}}
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Parameters struct{ OrderID string } }
	_ = json.NewDecoder(r.Body).Decode(&body)
	order := body.Parameters.OrderID
	k.mu.Lock()
	defer k.mu.Unlock()
	if order == k.poison {
		k.beside = append(k.beside, k.inside)
		k.deaths[r.URL.Path]++
		_ = k.processes[r.URL.Path].Kill() // what is dead already stays so
		return
	}
	k.inside++
	k.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // so that requests that are made at once overlap
	k.mu.Lock()
	k.inside--
	k.done[order]++
	_, _ = io.WriteString(w, `{"code":"OK"}`)
}

// start starts a life of the worker that asks at the path.
func (k *killer) start(t *testing.T, path, dir string) (process *exec.Cmd, stop io.Closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	process = exec.CommandContext(ctx, os.Args[0])
	process.Env = append(os.Environ(), inProcess+"="+dir)
	process.Stdout, process.Stderr = t.Output(), t.Output()
	stop, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	k.processes[path] = process.Process
	return process, stop
}

func (k *killer) finished() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.done)
}

// killingOrder is a shop, and a third party that kills whoever calls it for one of the orders.
func killingOrder(t *testing.T) (*shop, *killer, worker.Structure) {
	t.Helper()
	nameServer := broker.Shared(t).NameServer()
	shop := newShop(t, nameServer, nil)
	provider := newProvider(t)
	k := newKiller("o20")
	provider.server.Config.Handler = k
	structure := structureFor(provider.server.URL)
	structure.NameServers, structure.Topic, structure.Group = []string{nameServer}, shop.topic, shop.group
	structure.PrivateNetworks = []string{provider.addr.String() + "/32"}
	return shop, k, structure
}

// TestAMessageThatKillsItsProcessIsADeadLetter lets one of many orders kill the process that handles it, as often as it is handled.
func TestAMessageThatKillsItsProcessIsADeadLetter(t *testing.T) {
	const orders, deaths = 40, 3
	shop, k, structure := killingOrder(t)
	structure.Concurrency = 8
	files := newFiles(t, structure, liveFor("r1", nil))
	shop.pay(0, orders)

	for life := 1; life <= deaths; life++ {
		process, _ := k.start(t, structure.Handler.Push.Path, files.dir)
		if err := process.Wait(); err == nil || process.ProcessState.ExitCode() != -1 {
			t.Fatalf("life %d ended with %v, want it killed", life, err)
		}
	}
	process, stop := k.start(t, structure.Handler.Push.Path, files.dir)
	eventually(t, "all other orders", func() bool { return k.finished() == orders-1 })
	eventually(t, "all offsets", func() bool { return shop.committed() == orders })
	shop.must(stop.Close())
	shop.must(process.Wait())

	if len(k.beside) != deaths || k.beside[1] != 0 || k.beside[2] != 0 {
		t.Errorf("the order was asked for %d times, beside %v others; want 3 times, after the first alone", len(k.beside), k.beside)
	}
	eventually(t, "the dead letter", func() bool { return len(shop.deadLetters()) > 0 }) // a broker shows a moment later what it has confirmed
	letters := shop.deadLetters()
	if len(letters) != 1 || string(letters[0].Body) != paid(20) {
		t.Fatalf("%d dead letters, want the order that kills", len(letters))
	}
	reason, detail := letters[0].Property("ORDERFLOW_REASON"), letters[0].Property("ORDERFLOW_DETAIL")
	if reason != "CrashLoop" || detail != "the worker's process died 3 times while it handled this message, the last times while it handled nothing else" {
		t.Errorf("it is a dead letter for %s: %s", reason, detail)
	}
}

// TestAMessageThatKillsPodsInTurnIsADeadLetter has the queue move at each death, since the pod that died is started again only after another has it.
func TestAMessageThatKillsPodsInTurnIsADeadLetter(t *testing.T) {
	const orders, pods, deaths, backOff = 40, 2, 3, 6 * time.Second
	shop, k, structure := killingOrder(t)
	shop.pay(0, orders)

	begin, ended, stops := make(chan string, pods), make(chan string, pods), map[string]io.Closer{}
	dirs := map[string]string{}
	for pod := range pods {
		path := fmt.Sprint("/pod-", pod)
		structure.Handler.Push.Path = path
		dirs[path] = newFiles(t, structure, liveFor("r1", nil)).dir
		begin <- path
	}
	look, late := time.NewTicker(100*time.Millisecond), time.After(3*time.Minute)
	defer look.Stop()
	for k.finished() < orders-1 || shop.committed() < orders {
		select {
		case path := <-begin:
			process, stop := k.start(t, path, dirs[path])
			stops[path] = stop
			go func() {
				_ = process.Wait() // how it died is known by the killer
				ended <- path
			}()
		case path := <-ended:
			delete(stops, path)
			time.AfterFunc(backOff, func() { begin <- path })
		case <-look.C:
		case <-late:
			t.Fatalf("%d orders are done and %d committed, after the deaths %v", k.finished(), shop.committed(), k.deaths)
		}
	}
	for _, stop := range stops {
		shop.must(stop.Close())
		<-ended
	}
	all := 0
	for path := range dirs {
		n := k.deaths[path]
		if all += n; n == 0 || n > deaths {
			t.Errorf("%s died %d times, want it to have died, and at most %d times", path, n, deaths)
		}
	}
	if all > pods*(deaths-1)+1 {
		t.Errorf("the deaths are %v, %d in all, want all pods but one to have died less than %d times", k.deaths, all, deaths)
	}
	eventually(t, "the dead letter", func() bool { return len(shop.deadLetters()) > 0 })
	if letters := shop.deadLetters(); len(letters) != 1 || string(letters[0].Body) != paid(20) || letters[0].Property("ORDERFLOW_REASON") != "CrashLoop" {
		t.Errorf("%d dead letters, want the order that kills, for CrashLoop", len(letters))
	}
}
