// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the other end of connections without a network: serve is run for each.
type peer struct {
	serve  func(n int, c net.Conn)
	dialed atomic.Int32
	served sync.WaitGroup
}

func (p *peer) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n := int(p.dialed.Add(1))
	p.served.Go(func() {
		defer theirs.Close()
		p.serve(n, theirs)
	})
	return ours, nil
}

// answering answers every request with its own body, until the end.
func answering(c net.Conn) {
	for r := bufio.NewReader(c); answerNext(r, c); {
	}
}

func answerNext(r *bufio.Reader, c net.Conn) bool {
	req, err := rocketmq.ReadFrame(r, rocketmq.DefaultMaxFrame)
	if err != nil {
		return false
	}
	frame, err := rocketmq.AppendFrame(nil, &rocketmq.Command{Opaque: req.Opaque, Flag: 1, Body: req.Body}, rocketmq.DefaultMaxFrame)
	if err == nil {
		_, err = c.Write(frame)
	}
	return err == nil
}

// silent reads all and answers nothing.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// client returns a client of the peer, closed with the bubble's test.
func (p *peer) client(t *testing.T, cfg rocketmq.Config) *rocketmq.Client {
	cfg.DialContext = p.dial
	c := rocketmq.NewClient(cfg)
	t.Cleanup(func() {
		c.Close()
		p.served.Wait()
	})
	return c
}

const addr = "192.0.2.1:10911"

// get is a call that may be repeated.
func get(ctx context.Context, c *rocketmq.Client) error {
	_, err := c.Do(ctx, addr, rocketmq.OpMaxOffset, nil, nil)
	return err
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestASlowReplyHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fake.StartInMemory(t, fake.Config{})
		cluster.Inject(fake.Fault{Op: rocketmq.OpMinOffset, Delay: time.Hour})
		c := rocketmq.NewClient(rocketmq.Config{DialContext: cluster.DialContext})
		defer c.Close()
		slow := make(chan error, 1)
		go func() {
			_, err := c.MinOffset(t.Context(), cluster.Broker().Addr(), rocketmq.Queue{})
			slow <- err
		}()
		synctest.Wait()
		if _, err := c.MaxOffset(within(t, time.Second), cluster.Broker().Addr(), rocketmq.Queue{}); err != nil {
			t.Error(err)
		}
		if err := <-slow; err != nil {
			t.Error(err)
		}
	})
}

func TestACancelledCallReturnsAndLeavesTheConnection(t *testing.T) {
	for _, c := range []struct {
		says string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
		{"past its deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{serve: func(_ int, c net.Conn) {
					r := bufio.NewReader(c)
					req, err := rocketmq.ReadFrame(r, rocketmq.DefaultMaxFrame)
					if err != nil {
						return
					}
					time.Sleep(3 * time.Second) // the answer comes too late
					frame, _ := rocketmq.AppendFrame(nil, &rocketmq.Command{Code: 1, Opaque: req.Opaque, Flag: 1}, 1<<20)
					_, _ = c.Write(frame)
					for answerNext(r, c) {
					}
				}}
				client := p.client(t, rocketmq.Config{})
				ctx, cancel := c.end(t.Context())
				defer cancel()
				began := time.Now()
				if err := get(ctx, client); !errors.Is(err, c.want) || errors.Is(err, rocketmq.ErrUnreachable) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("it returned after %v", took)
				}
				if err := get(within(t, 10*time.Second), client); err != nil {
					t.Errorf("the next call: %v", err)
				}
				if n := p.dialed.Load(); n != 1 {
					t.Errorf("%d connections were made", n)
				}
			})
		})
	}
}

func TestADialServesAllAndBelongsToNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{serve: func(_ int, c net.Conn) { answering(c) }}
		c := rocketmq.NewClient(rocketmq.Config{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to == addr {
				time.Sleep(3 * time.Second)
			}
			return p.dial(ctx, network, to)
		}})
		defer c.Close()
		patient := make(chan error, 1)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			time.Sleep(time.Millisecond)
			patient <- get(t.Context(), c)
		}()
		go func() {
			time.Sleep(time.Millisecond)
			began := time.Now()
			if _, err := c.Do(t.Context(), "192.0.2.2:10911", rocketmq.OpMaxOffset, nil, nil); err != nil || time.Since(began) > 0 {
				t.Errorf("another address waited %v for the dial: %v", time.Since(began), err)
			}
		}()
		if err := get(impatient, c); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient caller got %v", err)
		}
		if err := <-patient; err != nil {
			t.Errorf("the caller who waited got %v", err)
		}
		if n := p.dialed.Load(); n != 2 {
			t.Errorf("%d connections were made to two addresses", n)
		}
	})
}

func TestAPeerThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		p := &peer{serve: func(int, net.Conn) { <-stop }} // a pipe takes nothing that is not read
		client := p.client(t, rocketmq.Config{WriteTimeout: 10 * time.Second})
		defer close(stop)
		began := time.Now()
		if err := get(within(t, time.Second), client); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("with a deadline of 1 s: %v after %v", err, time.Since(began))
		}
		// The first connection fails before this call's turn to be written comes, the second with it.
		if err := get(t.Context(), client); !errors.Is(err, rocketmq.ErrUnreachable) || time.Since(began) != 20*time.Second {
			t.Errorf("without a deadline: %v after %v", err, time.Since(began))
		}
	})
}

func TestASilentPeerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{serve: func(n int, c net.Conn) {
			if n == 1 {
				silent(c)
			}
			answering(c)
		}}
		client := p.client(t, rocketmq.Config{})
		for began := time.Now(); ; {
			err := get(within(t, 3*time.Second), client)
			if err == nil {
				if took := time.Since(began); took < 20*time.Second || took > 30*time.Second {
					t.Errorf("the silent connection was replaced after %v", took)
				}
				return
			}
			if time.Since(began) > time.Minute {
				t.Fatal("the silent connection is still used after a minute")
			}
		}
	})
}

func TestAnIdleConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{serve: func(_ int, c net.Conn) { answering(c) }}
		var closed []error
		client := p.client(t, rocketmq.Config{OnClose: func(_ string, err error) { closed = append(closed, err) }})
		for _, pause := range []time.Duration{0, 99 * time.Second, 101 * time.Second} {
			time.Sleep(pause)
			if err := get(t.Context(), client); err != nil {
				t.Errorf("after %v: %v", pause, err)
			}
		}
		if n := p.dialed.Load(); n != 2 || len(closed) != 1 {
			t.Errorf("%d connections were made, closed because of %v", n, closed)
		}
	})
}

func TestWhatIsSentAgainWhenAConnectionWasDead(t *testing.T) {
	readThenClose := func(c net.Conn) { // answers once, then closes as the second request comes
		r := bufio.NewReader(c)
		answerNext(r, c)
		_, _ = rocketmq.ReadFrame(r, rocketmq.DefaultMaxFrame)
	}
	closeAfterOne := func(c net.Conn) { answerNext(bufio.NewReader(c), c) }
	for _, c := range []struct {
		says  string
		first func(net.Conn)
		op    rocketmq.Op
		want  error
		dials int32
	}{
		{"a read, closed while it was written", readThenClose, rocketmq.OpMaxOffset, nil, 2},
		{"a commit, closed while it was written", readThenClose, rocketmq.OpCommitOffset, nil, 2},
		{"a message, closed while it was written", readThenClose, rocketmq.OpSend, rocketmq.ErrUnreachable, 1},
		{"a batch, closed while it was written", readThenClose, rocketmq.OpSendBatch, rocketmq.ErrUnreachable, 1},
		{"a send-back, closed while it was written", readThenClose, rocketmq.OpSendBack, rocketmq.ErrUnreachable, 1},
		{"an unknown request, closed while it was written", readThenClose, 9999, rocketmq.ErrUnreachable, 1},
		{"a message, closed before", closeAfterOne, rocketmq.OpSend, nil, 2},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{serve: func(n int, conn net.Conn) {
					if n == 1 {
						c.first(conn)
						return
					}
					answering(conn)
				}}
				client := p.client(t, rocketmq.Config{})
				if err := get(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				_, err := client.Do(t.Context(), addr, c.op, nil, nil)
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if n := p.dialed.Load(); n != c.dials {
					t.Errorf("%d connections were made, want %d", n, c.dials)
				}
			})
		})
	}
}

func TestACallAmongOthersIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		p := &peer{serve: func(_ int, c net.Conn) {
			r := bufio.NewReader(c)
			answerNext(r, c)
			for range 2 {
				if _, err := rocketmq.ReadFrame(r, rocketmq.DefaultMaxFrame); err == nil {
					requests.Add(1)
				}
			}
		}}
		client := p.client(t, rocketmq.Config{})
		if err := get(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 2)
		for range 2 { // the connection was alive: a long poll is held, then it breaks
			go func() { errs <- get(t.Context(), client) }()
			synctest.Wait()
		}
		broken := 0
		for range 2 {
			if errors.Is(<-errs, rocketmq.ErrUnreachable) {
				broken++
			}
		}
		if broken == 0 {
			t.Errorf("no caller was told; the peer saw %d requests", requests.Load())
		}
	})
}

func TestCloseIsToldBeforeCallersAndBeforeTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Bool
		p := &peer{}
		p.serve = func(n int, c net.Conn) {
			if n == 2 && !told.Load() {
				t.Error("connected again before OnClose returned")
			}
			_, _ = rocketmq.ReadFrame(bufio.NewReader(c), rocketmq.DefaultMaxFrame)
		}
		client := p.client(t, rocketmq.Config{OnClose: func(at string, err error) {
			time.Sleep(time.Second) // so that whoever does not wait is seen
			if at != addr || err == nil {
				t.Errorf("told of %s: %v", at, err)
			}
			told.Store(true)
		}})
		for _, pause := range []time.Duration{0, 10 * time.Millisecond} {
			go func() {
				time.Sleep(pause)
				if err := get(t.Context(), client); err == nil || !told.Load() {
					t.Errorf("the caller at %v got %v, told: %v", pause, err, told.Load())
				}
			}()
		}
		time.Sleep(10 * time.Second)
	})
}

func TestAnAddressThatCannotBeDialledIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		refused := errors.New("refused by the test")
		up := time.Now().Add(5 * time.Second)
		p := &peer{serve: func(_ int, c net.Conn) { answering(c) }}
		c := rocketmq.NewClient(rocketmq.Config{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			dials.Add(1)
			if time.Now().Before(up) {
				return nil, refused
			}
			return p.dial(ctx, network, to)
		}})
		defer c.Close()
		first := ""
		for {
			err := get(t.Context(), c)
			if err == nil {
				break
			}
			if !errors.Is(err, rocketmq.ErrUnreachable) || !errors.Is(err, refused) || !strings.Contains(err.Error(), addr) {
				t.Fatalf("got %v", err)
			}
			if first = cmp.Or(first, err.Error()); err.Error() != first {
				t.Fatalf("it is told as %q and as %q: a condition that says so is written again and again", first, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := dials.Load(); n > 10 {
			t.Errorf("%d dials in 5 s", n)
		}
		if late := time.Since(up); late > 2*time.Second {
			t.Errorf("reached %v after it was up", late)
		}
	})
}

func TestThePeerMayAsk(t *testing.T) {
	for _, c := range []struct {
		says string
		hook func(*rocketmq.Request)
		want rocketmq.Code
	}{
		{"and is answered later", func(r *rocketmq.Request) {
			time.AfterFunc(time.Second, func() { _ = r.Reply(rocketmq.CodeOK, "", []byte("here")) })
		}, rocketmq.CodeOK},
		{"and nobody listens", nil, rocketmq.CodeNotSupported},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answered := make(chan *rocketmq.Command, 1)
				p := &peer{serve: func(_ int, conn net.Conn) {
					r := bufio.NewReader(conn)
					ask, _ := rocketmq.AppendFrame(nil, &rocketmq.Command{Code: int(rocketmq.OpRunningInfo), Opaque: 77}, 1<<20)
					_, _ = conn.Write(ask)
					for range 2 { // our request, and the reply to theirs
						cmd, err := rocketmq.ReadFrame(r, 1<<20)
						if err != nil {
							return
						}
						if cmd.IsReply() {
							answered <- cmd
						}
					}
				}}
				client := p.client(t, rocketmq.Config{OnRequest: c.hook})
				_ = get(within(t, 5*time.Second), client)
				if r := <-answered; rocketmq.Code(r.Code) != c.want || r.Opaque != 77 {
					t.Errorf("the answer is %+v", r)
				}
			})
		})
	}
}

func TestAFrameThatIsWrongEndsTheConnection(t *testing.T) {
	for says, c := range map[string]struct{ bytes, want string }{
		"too large":     {"\x7f\xff\xff\xff\x00\x00\x00\x00", "larger than"},
		"contradictory": {"\x00\x00\x00\x08\x00\x00\x00\x09xxxx", "cannot hold"},
		"binary":        {"\x00\x00\x00\x08\x01\x00\x00\x04xxxx", "serializeTypeCurrentRPC"},
		"not JSON":      {"\x00\x00\x00\x08\x00\x00\x00\x04nope", "header of a command"},
		"cut off":       {"\x00\x00\x00\x08\x00\x00", "unexpected EOF"},
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{serve: func(_ int, conn net.Conn) {
					_, _ = rocketmq.ReadFrame(bufio.NewReader(conn), 1<<20)
					_, _ = conn.Write([]byte(c.bytes))
				}}
				err := get(t.Context(), p.client(t, rocketmq.Config{}))
				if !errors.Is(err, rocketmq.ErrUnreachable) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q in it", err, c.want)
				}
			})
		})
	}
}

func TestAClosedClientAnswersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{serve: func(_ int, c net.Conn) { silent(c) }}
		c := p.client(t, rocketmq.Config{})
		waiting := make(chan error, 1)
		go func() { waiting <- get(t.Context(), c) }()
		synctest.Wait()
		c.Close()
		for when, err := range map[string]error{"in flight": <-waiting, "later": get(t.Context(), c)} {
			if !errors.Is(err, rocketmq.ErrClosed) || !errors.Is(err, rocketmq.ErrUnreachable) {
				t.Errorf("a call %s got %v", when, err)
			}
		}
	})
}

// Many callers, some of whom give up, each get their own answer.
func TestRepliesReachTheirCallers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := listener.Accept()
		if err == nil {
			answering(conn)
			_ = conn.Close()
		}
	})
	c := rocketmq.NewClient(rocketmq.Config{})
	defer served.Wait()
	defer c.Close()
	defer listener.Close()
	var callers sync.WaitGroup
	for n := range 32 {
		callers.Go(func() {
			for i := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if (n+i)%7 == 0 {
					time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
				}
				want := fmt.Sprint(n, "/", i)
				r, err := c.Do(ctx, listener.Addr().String(), rocketmq.OpMaxOffset, nil, []byte(want))
				cancel()
				switch {
				case err == nil && string(r.Body) != want:
					t.Errorf("asked %s, got %s", want, r.Body)
				case err != nil && !errors.Is(err, context.Canceled):
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
}
