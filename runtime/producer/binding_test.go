// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// mount writes a binding as a Secret volume shows it.
func mount(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func goodBinding() map[string]string {
	return map[string]string{
		"type": "rocketmq", "provider": "orderflow", "name-servers": "mq-0.mq:9876, mq-1.mq:9876\n", "topic": "TopicOrderPaySuccess",
		"group": "order_producer_group", "send-mode": "Async", "send-timeout": "3s", "async-retries": "2", "order-queues": "broker-a:8;broker-b:4\n",
		"access-key": "shop", "secret-key": "canary-secret",
	}
}

func TestBindingIsReadFromItsFiles(t *testing.T) {
	got, err := ReadBinding(mount(t, goodBinding()))
	if err != nil {
		t.Fatal(err)
	}
	want := Binding{
		NameServers: []string{"mq-0.mq:9876", "mq-1.mq:9876"}, Topic: "TopicOrderPaySuccess", Group: "order_producer_group",
		Mode: Async, SendTimeout: 3 * time.Second, AsyncRetries: 2,
		OrderQueues: []rocketmq.OrderQueues{{Broker: "broker-a", Queues: 8}, {Broker: "broker-b", Queues: 4}},
		Credentials: rocketmq.Credentials{AccessKey: "shop", SecretKey: "canary-secret"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ReadBinding (-want +got):\n%s", diff)
	}
}

func TestBindingErrorsNameTheFileAndWhatToDo(t *testing.T) {
	tests := map[string]struct {
		change map[string]string // "" removes the file
		want   string            // part of the error; empty is valid
	}{
		"optional files may be missing": {map[string]string{"async-retries": "", "order-queues": "", "access-key": "", "secret-key": ""}, ""},
		"not mounted":                   {map[string]string{"topic": ""}, `file "topic" is missing or empty: is the producer-binding Secret mounted`},
		"a database's binding":          {map[string]string{"type": "postgresql"}, `file "type" says "postgresql", want "rocketmq"`},
		"somebody else's binding":       {map[string]string{"provider": "acme"}, `file "provider" says "acme"`},
		"a mode that does not exist":    {map[string]string{"send-mode": "sync"}, `file "send-mode" says "sync", want Sync, Async or Oneway`},
		"a timeout without unit":        {map[string]string{"send-timeout": "3"}, `file "send-timeout" says "3", want a positive duration`},
		"a timeout of nothing":          {map[string]string{"send-timeout": "0s"}, `file "send-timeout" says "0s"`},
		"negative retries":              {map[string]string{"async-retries": "-1"}, `file "async-retries" says "-1"`},
		"brokers that speak TLS":        {map[string]string{"tls": "Verify"}, `file "tls" says that the brokers speak TLS, which this package does not`},
		"queues of no number":           {map[string]string{"order-queues": "broker-a:8;broker-b"}, `file "order-queues" says "broker-b"`},
		"two mistakes, the first":       {map[string]string{"topic": "", "group": ""}, `file "topic"`},
		"two mistakes, the second":      {map[string]string{"topic": "", "group": ""}, `file "group"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := goodBinding()
			maps.Copy(files, test.change)
			maps.DeleteFunc(files, func(_, content string) bool { return content == "" })
			_, err := ReadBinding(mount(t, files))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("ReadBinding: %v, want no error", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("ReadBinding: %v, want an error with %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "canary"):
				t.Errorf("ReadBinding shows a secret: %v", err)
			}
		})
	}
}
