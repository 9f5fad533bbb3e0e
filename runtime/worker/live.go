// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
)

// lookEvery is how often the file of limits is looked at.
const lookEvery = 2 * time.Second

// live are the limits the worker runs with.
type live struct {
	structure worker.Structure
	file      string
	metrics   *telemetry.Metrics
	log       *slog.Logger
	// setLimits makes limits hold.
	setLimits func(worker.Live)
	// setTemplates makes those of a handler hold that is alike the structure's, or says what is wrong with them.
	setTemplates func(worker.Handler) error

	mu      sync.Mutex
	current worker.Live
	// seen is what the file held when it was last looked at: only a change of it overrules what a sync call brought.
	seen  []byte
	wrong string
	// wrongTemplates says what is wrong with the templates of current, in whose stead those before hold.
	wrongTemplates string
	// away: the file could not be read when it was last looked at.
	away bool
}

// newLive reads the file; a worker does not start without limits.
func newLive(s worker.Structure, file string, metrics *telemetry.Metrics, log *slog.Logger) (*live, error) {
	l := &live{structure: s, file: file, metrics: metrics, log: log}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the limits: %w", err)
	}
	l.seen = data
	if l.current, err = l.decode(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

func (l *live) decode(data []byte) (worker.Live, error) {
	decoded, err := worker.DecodeLive(data)
	if err != nil {
		return worker.Live{}, err
	}
	return decoded, l.check(decoded)
}

// check refuses limits that leave an adapter without any. Those of other adapters are for pods of another structure.
func (l *live) check(limits worker.Live) error {
	var errs []error
	for _, a := range l.structure.Adapters {
		if find(limits, a.Name) == nil {
			errs = append(errs, fmt.Errorf("revision %s has no limits for adapter %q", limits.Revision, a.Name))
		}
	}
	return errors.Join(errs...)
}

func find(l worker.Live, name string) *worker.AdapterLimits {
	for i := range l.Adapters {
		if l.Adapters[i].Name == name {
			return &l.Adapters[i]
		}
	}
	return nil
}

// limits of one of the structure's adapters.
func (l *live) limits(name string) worker.AdapterLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *find(l.current, name)
}

func (l *live) revision() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current.Revision
}

// problem says what is wrong with the newest limits, "" if they hold.
func (l *live) problem() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong == "" {
		return l.wrongTemplates
	}
	return l.wrong
}

// watch looks at the file until ctx ends.
func (l *live) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.look()
		}
	}
}

// look reads the file and takes what it holds if that has changed.
func (l *live) look() {
	data, err := os.ReadFile(l.file)
	l.mu.Lock()
	defer l.mu.Unlock()
	back := l.away && err == nil
	l.away = err != nil
	if err != nil {
		l.refuse(fmt.Errorf("read the limits: %w", err))
		return
	}
	unchanged := bytes.Equal(data, l.seen)
	if unchanged && !back {
		return
	}
	l.seen = data
	limits, err := l.decode(data)
	switch {
	case err != nil:
		l.refuse(err)
	case unchanged:
		l.wrong = ""
	default:
		l.take(limits, "file")
	}
}

// carry takes limits a sync call brought, or says what is wrong with them.
func (l *live) carry(limits worker.Live) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(limits.Validate(), l.check(limits)); err != nil {
		l.refuse(err)
		return err
	}
	l.take(limits, "sync")
	return nil
}

// take makes limits hold. l.mu is held.
func (l *live) take(limits worker.Live, from string) {
	l.wrong = ""
	if limits.Revision == l.current.Revision {
		return
	}
	l.log.Info("limits changed", "from", from, "revision", limits.Revision, "before", l.current.Revision)
	l.metrics.LiveChanged("applied")
	l.current = limits
	l.setLimits(limits)
	l.takeTemplates()
}

// takeTemplates makes the current templates hold if they are of the structure's steps. Limits do not wait for templates to be corrected. l.mu is held, or nobody else
// knows l.
func (l *live) takeTemplates() {
	l.wrongTemplates = ""
	h := l.current.Handler
	if h == nil || !h.Alike(l.structure.Handler) {
		return
	}
	if err := l.setTemplates(*h); err != nil {
		l.wrongTemplates = fmt.Sprintf("the templates of before are used: %v", err)
		l.metrics.LiveChanged("refused")
		l.log.Error("templates refused, going on with the last good ones", "error", err, "revision", l.current.Revision)
	}
}

// refuse notes what is wrong, once. l.mu is held.
func (l *live) refuse(err error) {
	if l.wrong == err.Error() {
		return
	}
	l.wrong = err.Error()
	l.metrics.LiveChanged("refused")
	l.log.Error("limits refused, going on with the last good ones", "error", err, "revision", l.current.Revision)
}
