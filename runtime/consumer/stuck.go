// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package consumer

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// How long a loop may take to come round. Membership makes calls, each of which ends within callTimeout; the loop of commits makes none itself.
const (
	membershipPatience = time.Minute
	commitPatience     = 10 * time.Second
)

// pulse is when a loop came round last; nil before its first round and after its end.
type pulse struct{ last atomic.Pointer[time.Time] }

func (p *pulse) beat() {
	now := time.Now()
	p.last.Store(&now)
}

func (p *pulse) end() { p.last.Store(nil) }

// stuck says so if the loop has not come round for longer than patience.
func (p *pulse) stuck(loop string, patience time.Duration) error {
	last := p.last.Load()
	if last == nil || time.Since(*last) <= patience {
		return nil
	}
	return fmt.Errorf("%s is stuck since %s", loop, last.UTC().Format(time.RFC3339))
}

// Stuck says what makes no progress any more, and since when; nil while all is well, and unless Run runs. Brokers, name servers and third parties that
// are away are no reason. It waits for nothing, unlike Snapshot: to be told of a lock that is never given back, call that with a time limit too.
func (c *Consumer) Stuck() error {
	return errors.Join(c.members.pulse.stuck("the membership", membershipPatience), c.commits.stuck("the loop of commits", commitPatience))
}
