// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package adapter calls one third party on behalf of one pod, and protects both from each other.
//
//	Call → credential → circuit → concurrency → rate → request, within its timeout → what the answer means
//
// What comes back is an outcome for the message:
//
//	Done   the third party confirmed the effect: 2xx, and the success expression agrees
//	Retry  a failure that may pass, after a call that began with the circuit closed: an attempt
//	Dead   a refusal that no repetition changes, or an effect that may have happened and must not be repeated
//	Park   nothing was asked, a probe failed, or the URL is wrong: no attempt. Resume says when to look again
//
// # The circuit
//
//	Closed ──failures in the window──▶ Open ──openDuration──▶ HalfOpen: one request is out as a probe
//	  ▲                                  ▲──────it failed───────────┤
//	  └─────────────────────────────it did not fail─────────────────┘
//
// failsafe-go counts and decides. A Retry-After of the failure that opened it, or kept it open, makes the duration longer, up to ten minutes. A verdict counts only in the state its call began in: a slow request from before the circuit opened neither
// closes nor reopens it. An answer that refuses the message (4xx) proves the third party to be there; one that refuses the account (401, 402, 403) does
// not, so that messages wait for one that may. Where nothing ever succeeded and nothing is there (404), messages wait for the right URL.
//
// # Limits
//
// Requests in flight are bounded first, then the rate, so that a request leaves at once when its turn has come and the third party never sees more
// than the rate. Callers queue for both; only when the rate admits nobody for more than a second is the message parked. Waiting is added to the
// WaitClock of the context, as it is no work. Limits change while calls run.
//
// # Idempotency
//
// Every request carries the key it is given. Where the third party ignores keys and duplicates are refused, a request that may have had its effect is
// never sent again, not even by net/http, which repeats requests on reused connections when their method or a header named Idempotency-Key allows it.
//
// # Security
//
//   - Addresses are judged when they are dialled, after DNS: never loopback, link-local, multicast or metadata services, and private networks only where
//     opened. Redirects are not followed; proxy variables are ignored.
//   - Answers are bounded: 1 MiB of body, 64 KiB of headers, and the timeout for all of it.
//   - Credentials are files, read again at most a second after they changed. Neither they nor anything of request and answer are in errors.
package adapter
