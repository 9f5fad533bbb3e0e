// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"testing"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/internal/rocketmq/fake"
)

func TestAReplayThatIsAsItWasIsNotWrittenAndNothingIsSaid(t *testing.T) {
	for sentence, change := range map[string]func(*v1alpha1.DeadLetterReplay){
		"done":      nil,
		"suspended": func(replay *v1alpha1.DeadLetterReplay) { replay.Spec.Suspend = new(true) },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fake.Start(t, fake.Config{}).NameServer(), change)
			for range 3 {
				w.reconcile()
			}
			w.Quiet(t, w.replay, func() { w.reconcile() })
		})
	}
}
