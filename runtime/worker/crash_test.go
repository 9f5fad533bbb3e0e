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
	"sync"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/broker"
)

// inProcess names, in a child's environment, the folder with the files of the worker it is to be.
const inProcess = "ORDERFLOW_TEST_WORKER_FILES"

// runInProcess is a worker as a process of its own, ended by a signal or, when its standard input ends, in order.
func runInProcess(dir string) int {
	options := optionsIn(dir)
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

// killer is a third party whose answer to one order never arrives, since the process that asks is killed.
type killer struct {
	poison string

	mu      sync.Mutex
	process *os.Process
	inside  int   // requests under way
	beside  []int // how many were under way at each death
	done    map[string]int
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Parameters struct{ OrderID string } }
	_ = json.NewDecoder(r.Body).Decode(&body)
	order := body.Parameters.OrderID
	k.mu.Lock()
	defer k.mu.Unlock()
	if order == k.poison {
		k.beside = append(k.beside, k.inside)
		_ = k.process.Kill() // what is dead already stays so
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

// start starts a life of the worker.
func (k *killer) start(t *testing.T, dir string) (process *exec.Cmd, stop io.Closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
	k.process = process.Process
	return process, stop
}

func (k *killer) finished() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.done)
}

// TestAMessageThatKillsItsProcessIsADeadLetter lets one of many orders kill the process that handles it, as often as it is handled.
func TestAMessageThatKillsItsProcessIsADeadLetter(t *testing.T) {
	const orders, deaths = 40, 3
	nameServer := broker.Shared(t).NameServer()
	shop := newShop(t, nameServer, nil)
	provider := newProvider(t)
	k := &killer{poison: "o20", done: map[string]int{}}
	provider.server.Config.Handler = k
	structure := structureFor(provider.server.URL)
	structure.NameServers, structure.Topic, structure.Group, structure.Concurrency = []string{nameServer}, shop.topic, shop.group, 8
	structure.PrivateNetworks = []string{provider.addr.String() + "/32"}
	files := newFiles(t, structure, liveFor("r1", nil))
	shop.pay(0, orders)

	for life := 1; life <= deaths; life++ {
		process, _ := k.start(t, files.dir)
		if err := process.Wait(); err == nil || process.ProcessState.ExitCode() != -1 {
			t.Fatalf("life %d ended with %v, want it killed", life, err)
		}
	}
	process, stop := k.start(t, files.dir)
	eventually(t, "all other orders", func() bool { return k.finished() == orders-1 })
	eventually(t, "all offsets", func() bool { return shop.committed() == orders })
	shop.must(stop.Close())
	shop.must(process.Wait())

	if len(k.beside) != deaths || k.beside[1] != 0 || k.beside[2] != 0 {
		t.Errorf("the order was asked for %d times, beside %v others; want 3 times, after the first alone", len(k.beside), k.beside)
	}
	letters := shop.deadLetters()
	if len(letters) != 1 || string(letters[0].Body) != paid(20) {
		t.Fatalf("%d dead letters, want the order that kills", len(letters))
	}
	reason, detail := letters[0].Property("ORDERFLOW_REASON"), letters[0].Property("ORDERFLOW_DETAIL")
	if reason != "CrashLoop" || detail != "the worker's process died 3 times while it handled this message, the last times while it handled nothing else" {
		t.Errorf("it is a dead letter for %s: %s", reason, detail)
	}
}
