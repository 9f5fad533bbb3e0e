// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/test/scene"
	"github.com/orderflow-dev/orderflow/test/shop"
)

// quietEvery is how often the table is printed where it cannot be redrawn.
const quietEvery = 5 * time.Second

// screen is the live table. On a terminal it is redrawn in place.
type screen struct {
	out      io.Writer
	terminal bool
	drawn    int // lines to go back before the next drawing
	last     time.Time
}

func newScreen(out io.Writer, terminal bool) *screen { return &screen{out: out, terminal: terminal} }

// line prints a line that stays.
func (s *screen) line(format string, args ...any) {
	s.drawn = 0
	fmt.Fprintf(s.out, format+"\n", args...)
}

// draw shows the table.
func (s *screen) draw(table string) {
	if !s.terminal {
		if time.Since(s.last) < quietEvery {
			return
		}
		s.last = time.Now()
		fmt.Fprint(s.out, table, "\n")
		return
	}
	for range s.drawn {
		fmt.Fprint(s.out, "\x1b[1A\x1b[2K")
	}
	fmt.Fprint(s.out, table)
	s.drawn = bytes.Count([]byte(table), []byte("\n"))
}

// branch is one line of the table.
type branch struct {
	handler  string
	lag      *int64
	replicas int32
	circuit  v1alpha1.CircuitState
	done     int
	dead     *int64
}

// branches reads the handlers' groups and the stub's counts.
func (s *stage) branches(ctx context.Context) ([]branch, error) {
	var groups v1alpha1.MQConsumerGroupList
	if err := s.Client.List(ctx, &groups, client.InNamespace(s.Namespace)); err != nil {
		return nil, err
	}
	stats, err := s.Stub.Stats(ctx)
	if err != nil {
		return nil, err
	}
	var list []branch
	for _, step := range scene.Steps() {
		b := branch{handler: step.Handler}
		if len(list) > 0 && list[len(list)-1].handler == b.handler {
			list = list[:len(list)-1] // the last step of a handler counts its messages
		}
		for _, stat := range stats {
			if stat.Provider == step.Provider && stat.Action == step.Action {
				b.done = stat.Accepted
			}
		}
		for _, g := range groups.Items {
			if g.Name == scene.Flow+"-"+step.Handler {
				b.lag, b.replicas, b.dead, b.circuit = g.Status.Lag, g.Status.ReadyReplicas, g.Status.DeadLetters, g.Status.Circuit
			}
		}
		list = append(list, b)
	}
	return list, nil
}

// idle says whether no group has a message left to handle.
func (s *stage) idle(ctx context.Context) (bool, error) {
	list, err := s.branches(ctx)
	for _, b := range list {
		if b.lag == nil || *b.lag > 0 {
			return false, err
		}
	}
	return true, err
}

// show draws the scene of this second.
func (s *stage) show(ctx context.Context, title, load string) error {
	status, err := s.Shop.Status(ctx, load)
	if err != nil {
		return err
	}
	list, err := s.branches(ctx)
	if err != nil {
		return err
	}
	s.screen.draw(table(title, status, list))
	return nil
}

func table(title string, status shop.LoadStatus, list []branch) string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "\n▸ %s\n  paid %d of %d   %.0f orders/s   pay p50 %.0f ms   p99 %.0f ms   failed %d\n",
		title, status.Done, status.Planned, status.Recent.OrdersPerSecond, status.Recent.P50Millis, status.Recent.P99Millis, status.Failed)
	columns := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "  branch\tlag\treplicas\tcircuit\tdone\tdead\t")
	for _, b := range list {
		fmt.Fprintf(columns, "  %s\t%s\t%d\t%s\t%d\t%s\t\n", b.handler, known(b.lag), b.replicas, b.circuit, b.done, known(b.dead))
	}
	_ = columns.Flush() // a buffer takes everything
	return text.String()
}

func known(n *int64) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}
