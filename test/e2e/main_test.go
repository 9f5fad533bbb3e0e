// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/scene"
)

// stage is the scene all tests share; TestMain sets it.
var stage *scene.Scene

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	err := set(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting the scene:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// set installs the operator and the sample, and runs shop and stub.
func set(ctx context.Context) (err error) {
	if stage, err = scene.Open(ctx, "e2e"); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{stage.InstallOperator, stage.ApplySample, stage.AwaitBinding, stage.Actors, stage.AwaitReady} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("%w\n%s", err, stage.Describe(context.WithoutCancel(ctx)))
		}
	}
	return nil
}
