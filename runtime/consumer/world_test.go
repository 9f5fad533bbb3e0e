// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/test/broker"
)

// atOnce is how many tests run side by side, unless -parallel says otherwise: at a real broker they wait for most of their time, whatever the machine's cores.
const atOnce = "4"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // before the command line is read
		panic(err)
	}
	broker.Main(m)
}

// world is a RocketMQ, real or fake, with one topic and one group for a test.
type world struct {
	t           testing.TB
	nameServer  string
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	client      *rocketmq.Client
	masters     map[string]string // addresses by broker name
	topic       string
	group       string
	queues      []rocketmq.Queue
	way         way // in which each member consumes
	ledger      *ledger
	fake        *fake.Cluster // nil if real
	nextMessage int
}

// way is one of consuming, by its name in the API.
type way struct {
	name    string
	options []func(*Config)
}

// The ways in which the members of a group may share its messages; docs/modes.md lists which tests take each of them.
func concurrently() []way {
	return []way{{"Push Concurrently", nil}, {"Pull Concurrently", []func(*Config){pulling}}}
}

func inOrder() []way {
	return []way{{"Push Orderly", []func(*Config){orderly}}, {"Pull Orderly", []func(*Config){pulling, orderly}}}
}

func everyWay() []way { return slices.Concat(concurrently(), inOrder()) }

func (y way) ordered() bool { return strings.HasSuffix(y.name, "Orderly") }

// in has a test's members consume in this way.
func (y way) in(test func(t *testing.T, w *world)) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		w.way = y
		test(t, w)
	}
}

// inEach runs a test in each of the ways, against the fake and against a real broker.
func inEach(t *testing.T, ways []way, queues int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { both(t, queues, way.in(test)) })
	}
}

// inBubble runs a test in a synctest bubble with a fake RocketMQ of so many brokers, on each of which the topic has so many queues, beside other tests.
func inBubble(t *testing.T, brokers, queues int, test func(t *testing.T, w *world)) {
	t.Helper()
	inBubbleWith(t, fake.Config{Brokers: brokers}, queues, test)
}

func inBubbleWith(t *testing.T, config fake.Config, queues int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := fake.StartInMemory(t, config)
		w := newWorld(t, cluster.NameServer(), cluster.DialContext, queues)
		w.fake = cluster
		test(t, w)
	})
}

// real returns a world in a RocketMQ that runs.
func onBroker(t testing.TB, nameServer string, queues int) *world {
	t.Helper()
	return newWorld(t, nameServer, new(net.Dialer).DialContext, queues)
}

func newWorld(t testing.TB, nameServer string, dial func(context.Context, string, string) (net.Conn, error), queues int) *world {
	t.Helper()
	w := &world{t: t, nameServer: nameServer, dial: dial, topic: broker.Name(t, "T"), group: broker.Name(t, "G"), masters: map[string]string{}, ledger: newLedger()}
	w.client = rocketmq.NewClient(rocketmq.Config{DialContext: dial})
	t.Cleanup(w.client.Close)
	cluster, err := rocketmq.NewCluster(w.client, []string{nameServer}, nil)
	w.must(err)
	masters, err := cluster.Masters(w.ctx(), "")
	w.must(err)
	for _, b := range masters {
		addr := b.Master()
		w.masters[b.Name] = addr
		w.createTopic(addr, w.topic, queues)
		w.must(w.client.PutGroup(w.ctx(), addr, rocketmq.NewGroupConfig(w.group)))
		for _, topic := range []string{rocketmq.RetryTopic(w.group), rocketmq.DeadLetterTopic(w.group)} {
			w.createTopic(addr, topic, 1)
		}
		for id := range queues {
			w.queues = append(w.queues, rocketmq.Queue{Topic: w.topic, Broker: b.Name, ID: id})
		}
		w.seed(w.queues...)
		w.seed(w.retryQueue(b.Name))
	}
	w.awaitRoutes(cluster)
	return w
}

func (w *world) retryQueue(broker string) rocketmq.Queue {
	return rocketmq.Queue{Topic: rocketmq.RetryTopic(w.group), Broker: broker}
}

func (w *world) deadLetters(broker string) rocketmq.Queue {
	return rocketmq.Queue{Topic: rocketmq.DeadLetterTopic(w.group), Broker: broker}
}

func (w *world) createTopic(addr, topic string, queues int) {
	w.t.Helper()
	w.must(w.client.PutTopic(w.ctx(), addr, rocketmq.TopicConfig{
		Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: rocketmq.PermRead | rocketmq.PermWrite,
	}))
}

// seed commits offset 0, as the operator does.
func (w *world) seed(queues ...rocketmq.Queue) {
	w.t.Helper()
	for _, q := range queues {
		w.must(w.client.CommitOffset(w.ctx(), w.masters[q.Broker], w.group, q, 0))
	}
}

// awaitRoutes waits until the name server lists what was created.
func (w *world) awaitRoutes(cluster *rocketmq.Cluster) {
	w.t.Helper()
	for _, topic := range []string{w.topic, rocketmq.RetryTopic(w.group), rocketmq.DeadLetterTopic(w.group)} {
		w.eventually("the route of "+topic, 10*time.Second, func() bool {
			route, err := cluster.Route(w.ctx(), topic)
			return err == nil && len(route.Masters()) == len(w.masters)
		})
	}
}

// ctx bounds the calls of a test.
func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// eventually polls: at a real broker for a minute at least, since what is quick on an idle machine is not on a busy one.
func (w *world) eventually(what string, patience time.Duration, done func() bool) {
	w.t.Helper()
	if w.fake == nil {
		patience = max(patience, time.Minute)
	}
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// fill sends n messages to the queues in turn, in batches; their bodies are numbers that go on from call to call.
func (w *world) fill(n int) {
	w.t.Helper()
	w.fillBodies(n, 0)
}

func (w *world) fillBodies(n, size int) {
	w.t.Helper()
	const batch = 64
	turn := 0
	for from := w.nextMessage; from < w.nextMessage+n; from += batch {
		q := w.queues[turn%len(w.queues)]
		turn++
		var messages []rocketmq.OutMessage
		for i := from; i < min(from+batch, w.nextMessage+n); i++ {
			body := fmt.Sprint(i)
			messages = append(messages, rocketmq.OutMessage{
				Body:       []byte(body + strings.Repeat(" ", max(0, size-len(body)))),
				Properties: rocketmq.Fields{{Name: rocketmq.PropertyUniqueKey, Value: "U" + body}, {Name: rocketmq.PropertyKeys, Value: "k" + body}},
			})
		}
		w.send(q, messages...)
	}
	w.nextMessage += n
}

// sendTo sends one message with the next number as its body.
func (w *world) sendTo(q rocketmq.Queue, properties ...rocketmq.Field) {
	w.t.Helper()
	w.send(q, rocketmq.OutMessage{Body: []byte(fmt.Sprint(w.nextMessage)), Properties: properties})
	w.nextMessage++
}

// send sends messages, again while the broker is too busy to store them.
func (w *world) send(q rocketmq.Queue, messages ...rocketmq.OutMessage) {
	w.t.Helper()
	for {
		_, err := w.client.Send(w.ctx(), w.masters[q.Broker], rocketmq.SendRequest{Group: "test", Queue: q, Messages: messages})
		if !errors.Is(err, rocketmq.ErrBusy) {
			w.must(err)
			return
		}
	}
}

// committed is the sum of the committed offsets of the topic's queues.
func (w *world) committed() int {
	w.t.Helper()
	sum := 0
	for _, q := range w.queues {
		offset, err := w.client.QueryOffset(w.ctx(), w.masters[q.Broker], w.group, q)
		w.must(err)
		sum += int(offset)
	}
	return sum
}

// read returns all messages of a queue.
func (w *world) read(q rocketmq.Queue) []rocketmq.Message {
	w.t.Helper()
	var all []rocketmq.Message
	for {
		r, err := w.client.Pull(w.ctx(), w.masters[q.Broker], rocketmq.PullRequest{Group: w.group, Queue: q, Offset: int64(len(all)), MaxMessages: 32})
		w.must(err)
		if r.Status != rocketmq.Found {
			return all
		}
		all = append(all, r.Messages...)
	}
}

// member is one running consumer.
type member struct {
	*Consumer
	w    *world
	stop context.CancelFunc
	err  chan error

	mu    sync.Mutex
	dead  bool
	out   bool // cannot connect
	conns map[net.Conn]bool
}

// handlerFunc is a Handler.
type handlerFunc func(ctx context.Context, m *rocketmq.Message) outcome.Outcome

func (f handlerFunc) Handle(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
	return f(ctx, m)
}

// join starts a consumer whose handler is handle, noted in the ledger. It is stopped when the test ends.
func (w *world) join(instance string, handle handlerFunc, options ...func(*Config)) *member {
	w.t.Helper()
	x := &member{w: w, err: make(chan error, 1), conns: map[net.Conn]bool{}}
	cfg := Config{
		NameServers: []string{w.nameServer},
		Remoting:    rocketmq.Config{DialContext: x.dialContext},
		Group:       w.group, Instance: instance, Topic: w.topic,
		Grace: 5 * time.Second,
		Log:   slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{ReplaceAttr: shortTime})).With("member", instance),
		Handler: handlerFunc(func(ctx context.Context, m *rocketmq.Message) outcome.Outcome {
			started := w.ledger.start(x, m)
			o := handle(ctx, m)
			w.ledger.end(started, o.Kind)
			return o
		}),
	}
	for _, option := range slices.Concat(w.way.options, options) {
		option(&cfg)
	}
	c, err := New(cfg)
	w.must(err)
	x.Consumer = c
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	go func() { x.err <- c.Run(ctx) }()
	w.t.Cleanup(func() {
		if x.stop != nil {
			x.leave()
		}
	})
	return x
}

// pair joins two members, and returns when each has its half of the queues.
func (w *world) pair(handle handlerFunc) (one, two *member) {
	w.t.Helper()
	one, two = w.join("one", handle), w.join("two", handle)
	half := len(w.queues) / 2
	w.eventually("both to have their share", 20*time.Second, func() bool { return one.owns() == half && two.owns() == half })
	return one, two
}

func shortTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.String("at", a.Value.Time().Format("05.000"))
	}
	return a
}

// leave stops the member cleanly.
func (x *member) leave() {
	x.w.t.Helper()
	x.stop()
	x.stop = nil
	if err := <-x.err; err != nil && !x.dead {
		x.w.t.Errorf("stop: %v", err)
	}
}

// kill is what SIGKILL looks like from outside: every connection ends, nothing is said, nothing comes after.
func (x *member) kill() {
	x.mu.Lock()
	x.dead = true
	for conn := range x.conns {
		_ = conn.Close()
	}
	x.mu.Unlock()
	x.w.ledger.killed(x)
	x.endHandling()
	x.endCalls()
}

// cut breaks every connection, as a network does.
func (x *member) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for conn := range x.conns {
		_ = conn.Close()
	}
}

// lockOut makes connecting fail, or work again.
func (x *member) lockOut(out bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.out = out
}

func (x *member) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := x.w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead || x.out {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	x.conns[conn] = true
	return conn, nil
}

// owns is how many queues of the topic the member has open.
func (x *member) owns() int {
	n := 0
	for _, q := range x.Snapshot().Queues {
		if q.Queue.Topic == x.w.topic && !q.Releasing && q.Next >= 0 {
			n++
		}
	}
	return n
}
