// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	mq "github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/witness"
)

// why is a manifest of testdata/why with what its comments say must come of it.
type why struct {
	path, manifest string
	// refused is in kubectl's error; empty: the API server takes it.
	refused string
	// object is described, and the description says all of says.
	object string
	says   []string
}

func readWhy(t *testing.T, path string, run string) why {
	t.Helper()
	text, err := template.ParseFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	var manifest bytes.Buffer
	if err := text.Execute(&manifest, map[string]string{"Run": run}); err != nil {
		t.Fatal(err)
	}
	w := why{manifest: manifest.String(), path: filepath.Join(t.TempDir(), filepath.Base(path))}
	for line := range strings.Lines(w.manifest) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "# refused":
			w.refused = value
		case "# describe":
			w.object = value
		case "# says":
			w.says = append(w.says, value)
		}
	}
	if (w.refused == "") == (w.object == "" || len(w.says) == 0) {
		t.Fatalf("%s must say either what it is refused with, or what is described and what that says", path)
	}
	if err := os.WriteFile(w.path, manifest.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestDescribeSaysWhy applies what is wrong, each thing as somebody might write it, and reads what a user reads.
func TestDescribeSaysWhy(t *testing.T) {
	run := fmt.Sprint(time.Now().Unix())
	witness.MQAdmin(t, administered{t}, "success", "updateTopic", "-c", "DefaultCluster", "-t", "TopicTaken"+run)
	witness.MQAdmin(t, administered{t}, "success", "updateTopic", "-c", "DefaultCluster", "-t", "TopicShape"+run, "-a", "+message.type=FIFO")
	makeGroup(t, "live_java_"+run)
	witness.Consume(t, witness.ConsumeOptions{Client: witness.Client{
		NameServer: stage.Env.NameServers[0], Group: "live_java_" + run, Topic: scene.Topic,
	}})
	paths, err := filepath.Glob("testdata/why/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("manifests %v, error %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			readWhy(t, path, run).check(t)
		})
	}
}

func (w why) check(t *testing.T) {
	_, err := stage.Kubectl(t.Context(), "-n", stage.Namespace, "apply", "-f", w.path)
	if w.refused != "" {
		if err == nil || !strings.Contains(err.Error(), w.refused) {
			t.Errorf("error %v, want %q", err, w.refused)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := stage.Kubectl(context.WithoutCancel(t.Context()), "-n", stage.Namespace, "delete", "-f", w.path, "--timeout=60s"); err != nil {
			t.Error(err)
		}
	})
	var said string
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = scene.Poll(ctx, "kubectl describe says why", func(ctx context.Context) (bool, error) {
		var err error
		if said, err = stage.Kubectl(ctx, "-n", stage.Namespace, "describe", w.object); err != nil {
			return false, err
		}
		for _, word := range w.says {
			if !strings.Contains(said, word) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Errorf("%v; want %q in\n%s", err, w.says, said)
	}
}

// TestAnAnswerThatIsNoneIsShownAndLosesNothing lets the SMS provider answer as no provider should, and reads what a user reads.
func TestAnAnswerThatIsNoneIsShownAndLosesNothing(t *testing.T) {
	for mode, says := range map[string]string{
		"garbage":   "answered 200, which is not as expected",
		"error200":  "response.successExpression is false",
		"blackhole": "no whole answer within 3s",
		"drip":      "no whole answer within 3s",
	} {
		t.Run(mode, func(t *testing.T) {
			began := time.Now().Truncate(time.Second) // as precise as the status
			if err := stage.Stub.Steer(t.Context(), "sms", map[string]any{"mode": mode}); err != nil {
				t.Fatal(err)
			}
			healed := false
			heal := func() {
				if err := stage.Stub.Steer(context.WithoutCancel(t.Context()), "sms", map[string]any{"mode": "healthy"}); err != nil {
					t.Error(err)
				}
				healed = true
			}
			defer func() {
				if !healed {
					heal()
				}
			}()
			orders := paid(t, pay(t, time.Second))
			within(t, time.Minute, "the adapter says what was answered", func(ctx context.Context) (bool, error) {
				var sms v1alpha1.ThirdPartyAdapter
				if err := stage.Client.Get(ctx, client.ObjectKey{Namespace: stage.Namespace, Name: "sms"}, &sms); err != nil {
					return false, err
				}
				said, err := stage.Kubectl(ctx, "-n", stage.Namespace, "describe", "thirdpartyadapter/sms")
				at := sms.Status.LastErrorTime
				return strings.Contains(said, says) && at != nil && !at.Time.Before(began), err
			})
			heal()
			noDuplicateEffects(t, handled(t, orders, 2*time.Minute))
		})
	}
}

// TestAMessageThatIsNoOrderIsADeadLetterWithItsReason sends what nobody can read, and orders go on.
func TestAMessageThatIsNoOrderIsADeadLetterWithItsReason(t *testing.T) {
	reasons := func(ctx context.Context) map[string]int {
		letters, err := stage.DeadLetters(ctx)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, letter := range letters {
			count[letter.Reason]++
		}
		return count
	}
	before := reasons(t.Context())
	witness.Produce(t, witness.ProduceOptions{Client: witness.Client{
		NameServer: stage.Env.NameServers[0], Group: "e2e_witness_producer", Topic: scene.Topic,
	}},
		witness.OutMessage{Keys: "no-order", Tags: "OrderPaid", Body: []byte("\x00 this is no order")},
		witness.OutMessage{Keys: "huge", Tags: "OrderPaid", Body: []byte(`{"id":"huge","padding":"` + strings.Repeat("x", 4<<20-200) + `"}`)})
	want := len(scene.Groups())
	within(t, time.Minute, "every group has two more dead letters, with their reasons", func(ctx context.Context) (bool, error) {
		now := reasons(ctx)
		return now["Undecodable"]-before["Undecodable"] == want && now["BodyTooLarge"]-before["BodyTooLarge"] == want, nil
	})
	within(t, time.Minute, "kubectl describe counts them", func(ctx context.Context) (bool, error) {
		g := group(ctx, t, "order-paid-push")
		return g.Status.DeadLetters != nil && *g.Status.DeadLetters >= 2, nil
	})
	noDuplicates(t, handled(t, paid(t, pay(t, time.Second)), time.Minute))
}

// makeGroup makes a consumer group behind the operator's back.
func makeGroup(t *testing.T, name string) {
	t.Helper()
	broker := mq.NewClient(mq.Config{})
	defer broker.Close()
	cluster, err := mq.NewCluster(broker, stage.Env.NameServers, nil)
	if err != nil {
		t.Fatal(err)
	}
	masters, err := cluster.Masters(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, master := range masters {
		if err := broker.PutGroup(t.Context(), master.Master(), mq.NewGroupConfig(name)); err != nil {
			t.Fatal(err)
		}
	}
}
