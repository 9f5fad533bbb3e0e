// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import "sync"

const (
	// doubt is the number of requests in a row that have to find nothing before the URL is taken to be wrong.
	doubt = 5
	// trusted is a step's count once anything succeeded: what is not there from then on is the message's fault.
	trusted = -1
)

// absences tells a wrong URL from messages that ask for what is not there: with a wrong URL each message of the backlog would become a dead letter. The
// first ones do, and so does whatever finds nothing where something once succeeded, so that no message holds up a third party that works.
type absences struct {
	mu sync.Mutex
	// inARow by step: steps have paths of their own.
	inARow map[string]int
}

// judge turns an answer that is absent into misconfigured where the URL is in doubt.
func (a *absences) judge(step string, ans answer) answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case ans.result == success:
		a.inARow[step] = trusted
	case ans.result != permanent || a.inARow[step] == trusted: // says nothing about the URL, or nothing new
	case !ans.absent:
		a.inARow[step] = 0
	case a.inARow[step] < doubt-1:
		a.inARow[step]++
	default:
		ans.result, ans.reason = misconfigured, NothingThere
		ans.detail += ", and nothing of this step has succeeded yet: the adapter's url or the step's path is wrong"
	}
	return ans
}
