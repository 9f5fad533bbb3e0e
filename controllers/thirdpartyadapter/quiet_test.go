// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package thirdpartyadapter

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

func TestAnAdapterThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	for sentence, circuit := range map[string]worker.Circuit{"in use": worker.CircuitClosed, "down": worker.CircuitOpen} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			adapter := w.Adapter("sms")
			w.Create(t, adapter, w.Group("push", "Orders"))
			w.reports["push"] = []workersync.Report{says(circuit, "503", w.Now())}
			w.step(t, adapter)
			w.Quiet(t, adapter, func() { w.step(t, adapter) })
		})
	}
}

func TestAnAdapterIsLookedAtSeldomWhereNothingHappens(t *testing.T) {
	now := time.Now()
	asked := func(ago ...time.Duration) (reports []workersync.Report) {
		for _, d := range ago {
			reports = append(reports, workersync.Report{Time: now.Add(-d)})
		}
		return reports
	}
	for sentence, c := range map[string]struct {
		seen facts
		want time.Duration
	}{
		"nobody uses it":           {facts{}, quietInterval},
		"its pods are idle":        {facts{reports: asked(time.Minute, 4*time.Minute)}, quietInterval},
		"one of its pods is busy":  {facts{reports: asked(time.Minute, 2*time.Second)}, interval},
		"it names a Secret":        {facts{secrets: []result.Result{{}}}, interval},
		"idle pods, and a Secret":  {facts{secrets: []result.Result{{}}, reports: asked(time.Minute)}, interval},
		"pods that were just idle": {facts{reports: asked(interval)}, quietInterval},
	} {
		if got := pace(c.seen, now); got != c.want {
			t.Errorf("%s: looked at after %v, want %v", sentence, got, c.want)
		}
	}
}
