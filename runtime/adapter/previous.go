// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// olderFor is how long the previous HMAC key is used without a look whether the newest is taken by now.
const olderFor = time.Minute

// previous remembers that the third party takes the previous HMAC key, and not yet the newest: until then, in nanoseconds since 1970.
type previous struct{ until atomic.Int64 }

// signed makes the request with the newest key, or the previous one that was taken a moment ago. Where that is refused it is made once again with the other: whoever
// rotates a key at both ends can do it in either order.
func (a *Adapter) signed(ctx context.Context, r Request, secret map[string]string, timeout time.Duration) answer {
	first, second := secret, older(secret)
	if second == nil {
		return a.exchange(ctx, r, secret, timeout)
	}
	isOlder := time.Now().UnixNano() < a.previous.until.Load()
	if isOlder {
		first, second = second, first
	}
	ans := a.exchange(ctx, r, first, timeout)
	if !ans.refusesKey() {
		return ans
	}
	if isOlder {
		a.previous.until.Store(0)
	}
	waited, admitted := a.again(ctx)
	if ans.waited = waited; !admitted {
		return ans // the rate admits no second request now
	}
	again := a.exchange(ctx, r, second, timeout)
	again.waited = waited
	if !isOlder && !again.refusesKey() && again.verdict() == healthy {
		a.previous.until.Store(time.Now().Add(olderFor).UnixNano())
	}
	return again
}

// refusesKey: another key may help. A gateway that answers 200 to everything says so by a rule.
func (a answer) refusesKey() bool { return a.reason == CredentialRefused || a.reason == AccountRefused }

// older is the Secret with its previous HMAC key in the newest's place, nil if it has none.
func older(secret map[string]string) map[string]string {
	id, key := secret[worker.HMACPreviousKeyIDKey], secret[worker.HMACPreviousSecretKey]
	if id == "" || key == "" {
		return nil
	}
	return map[string]string{worker.HMACKeyIDKey: id, worker.HMACSecretKey: key}
}
