// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/rocketmq"
)

// Mode is how the order system sends.
type Mode string

const (
	// Sync waits for the broker's confirmation.
	Sync Mode = "Sync"
	// Async returns at once and calls back.
	Async Mode = "Async"
	// Oneway expects no answer.
	Oneway Mode = "Oneway"
)

// The values by which a binding says what it is.
const (
	bindingType     = "rocketmq"
	bindingProvider = "orderflow"
)

// Binding is where and how to send: the content of a producer-binding Secret.
type Binding struct {
	// NameServers are host:port pairs (file name-servers, separated by commas).
	NameServers []string
	Topic       string
	// Group is the producer group (file group).
	Group string
	// Mode is file send-mode.
	Mode Mode
	// SendTimeout is file send-timeout, a Go duration such as 3s.
	SendTimeout time.Duration
	// AsyncRetries is how often a failed SendAsync is tried again (file async-retries). Default 0.
	AsyncRetries int
	// OrderQueues are the queues over which order keys are spread (file order-queues, such as broker-a:8;broker-b:8), so that
	// a producer that starts while a broker is away moves no key. OrderFlow writes it once it has seen all brokers; without it they are
	// those the producer has seen.
	OrderQueues []rocketmq.OrderQueues
	// Credentials are the files access-key, secret-key and security-token; all optional.
	Credentials rocketmq.Credentials
}

// ReadBinding reads a mounted producer-binding Secret: a directory with one file per key. White space around a value is
// ignored. The error names every file that is missing or wrong, never a credential's content.
func ReadBinding(dir string) (Binding, error) {
	r := bindingReader{dir: dir}
	r.expect("type", bindingType)
	r.expect("provider", bindingProvider)
	b := Binding{
		NameServers:  splitList(r.required("name-servers")),
		Topic:        r.required("topic"),
		Group:        r.required("group"),
		Mode:         r.mode("send-mode"),
		SendTimeout:  r.duration("send-timeout"),
		AsyncRetries: r.count("async-retries"),
		OrderQueues:  r.queues("order-queues"),
		Credentials: rocketmq.Credentials{
			AccessKey:     r.optional("access-key"),
			SecretKey:     r.optional("secret-key"),
			SecurityToken: r.optional("security-token"),
		},
	}
	if r.optional("tls") != "" {
		r.fail("tls", "says that the brokers speak TLS, which this package does not: the RocketMQ library it sends with verifies no certificate, and "+
			"orders would go to whoever answers; send with RocketMQ's Java client and tls.enable=true, tls.test.mode.enable=false, tls.client.authServer=true "+
			"and as tls.client.trustCertPath the file ca.crt here")
	}
	if len(r.errs) > 0 {
		return Binding{}, fmt.Errorf("producer binding %s: %w", dir, errors.Join(r.errs...))
	}
	return b, nil
}

// bindingReader reads files and collects what is wrong with them.
type bindingReader struct {
	dir  string
	errs []error
}

func (r *bindingReader) fail(file, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("file %q %s", file, fmt.Sprintf(format, args...)))
}

func (r *bindingReader) optional(file string) string {
	content, err := os.ReadFile(filepath.Join(r.dir, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		r.fail(file, "cannot be read: %v", err)
		return ""
	}
	return strings.TrimSpace(string(content))
}

func (r *bindingReader) required(file string) string {
	before := len(r.errs)
	value := r.optional(file)
	if value == "" && len(r.errs) == before {
		r.fail(file, "is missing or empty: is the producer-binding Secret mounted here?")
	}
	return value
}

func (r *bindingReader) expect(file, want string) {
	if got := r.required(file); got != "" && got != want {
		r.fail(file, "says %q, want %q: this is another kind of binding", got, want)
	}
}

func (r *bindingReader) mode(file string) Mode {
	mode := Mode(r.required(file))
	switch mode {
	case "", Sync, Async, Oneway:
	default:
		r.fail(file, "says %q, want %s, %s or %s", mode, Sync, Async, Oneway)
	}
	return mode
}

func (r *bindingReader) duration(file string) time.Duration {
	value := r.required(file)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		r.fail(file, "says %q, want a positive duration such as 3s", value)
	}
	return d
}

func (r *bindingReader) count(file string) int {
	value := r.optional(file)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		r.fail(file, "says %q, want a number of retries, 0 or more", value)
	}
	return n
}

// queues reads a list in the form of RocketMQ's order configuration.
func (r *bindingReader) queues(file string) []rocketmq.OrderQueues {
	var list []rocketmq.OrderQueues
	for item := range strings.SplitSeq(r.optional(file), ";") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		broker, number, _ := strings.Cut(item, ":")
		n, err := strconv.Atoi(number)
		if broker == "" || err != nil || n <= 0 {
			r.fail(file, "says %q, want brokers and their numbers of queues such as broker-a:8;broker-b:8", item)
			return nil
		}
		list = append(list, rocketmq.OrderQueues{Broker: broker, Queues: n})
	}
	return list
}

func splitList(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
