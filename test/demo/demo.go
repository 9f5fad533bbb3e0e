// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/orderflow-dev/orderflow/test/evidence"
	"github.com/orderflow-dev/orderflow/test/scene"
)

// Options of a run.
type Options struct {
	// Namespace to play in.
	Namespace string
	// Out is the folder of the evidence.
	Out string
	// Screen shows the live table and the summary.
	Screen io.Writer
	// Terminal says that Screen understands cursor movements.
	Terminal bool
	// Command is how the run was started, for the evidence.
	Command string
}

// stage is a scene with the sample running, and what is recorded of it.
type stage struct {
	*scene.Scene
	screen *screen
	record *evidence.Recorder
	// steered is when SMS was made what it is in an act, by series, in milliseconds since 1970.
	steered map[string]int64
	// ratios are the benchmark's, by phase, one for each round.
	ratios map[string][]float64
}

// Run plays the demo and writes out/demo.json. The error says what went wrong with the run, not that a goal was missed: the summary says that.
func Run(ctx context.Context, o Options) error {
	s, err := open(ctx, "demo", o)
	if err != nil {
		return err
	}
	defineDemo(s.record)
	for _, a := range acts() {
		if err := s.play(ctx, a); err != nil {
			return fmt.Errorf("%s, %s: %w", a.mode, a.title, err)
		}
	}
	if err := s.judgeActs(ctx); err != nil {
		return err
	}
	if err := s.stopBroker(ctx); err != nil {
		return fmt.Errorf("stopping the broker: %w", err)
	}
	return s.finish(o)
}

// open sets the scene, showing what it waits for.
func open(ctx context.Context, target string, o Options) (*stage, error) {
	s := &stage{
		screen:  newScreen(o.Screen, o.Terminal),
		steered: map[string]int64{},
		ratios:  map[string][]float64{},
		record:  evidence.New(target, o.Command, evidence.Commit(ctx), evidence.Machine()),
	}
	var err error
	if s.Scene, err = scene.Open(ctx, o.Namespace); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"installing OrderFlow", s.InstallOperator},
		{"kubectl apply -k config/samples/order-paid", s.ApplySample},
		{"waiting for the producer binding", s.AwaitBinding},
		{"starting the order service and the third parties", s.Actors},
		{"waiting until the flow is Ready", s.AwaitReady},
	} {
		began := time.Now()
		s.screen.line("%s …", step.what)
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", step.what, err, s.Describe(context.WithoutCancel(ctx)))
		}
		s.screen.line("%s: %.1f s", step.what, time.Since(began).Seconds())
	}
	return s, nil
}

// finish writes the evidence and says what it came to.
func (s *stage) finish(o Options) error {
	file, err := s.record.Write(o.Out)
	s.screen.summary(file)
	return err
}
