// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package adapter calls one third party on behalf of one pod, and protects both from each other.
//
//	Call → credential → circuit → concurrency → rate → request, within its timeout → what the answer means
//
// What comes back is an outcome for the message:
//
//	Done   the third party confirmed the effect: 2xx, and the success expression agrees, or a response rule says so
//	Retry  a failure that may pass, after a call that began with the circuit closed: an attempt
//	Dead   a refusal that no repetition changes, or an effect that may have happened and must not be repeated
//	Park   nothing was asked, a probe failed, the account is refused, or the URL is wrong: no attempt. Resume says when to look again
//
// # The circuit
//
//	Closed ──failures in the window, or in a row──▶ Open ──a pause──▶ HalfOpen: one request is out as a probe
//	  ▲                                               ▲──────it failed───────────┤
//	  └──────────────────────────────────it did not fail─────────────────────────┘
//
// The pause is openDuration at first, and grows with each failed probe (see outage). It counts from when the probe began, and a probe that hangs is made again beside itself
// where keys are honoured (see Adapter.ask): who takes requests and never answers is found healed no later than who refuses them. A Retry-After of the failure that opened the circuit, or kept it open,
// makes it longer, up to ten minutes. What is slower than slowRequestDuration counts as failed.
//
// A verdict counts only in the state its call began in: a slow request from before the circuit opened neither closes nor reopens it. An answer that
// refuses the message (4xx) proves the third party to be there; one that refuses the account (401, 402, 403) does not, so that messages wait for one that
// may. Where nothing ever succeeded and nothing is there (404), messages wait for the right URL.
//
// Others may hold the circuit open for some seconds at a time, while one pod probes for all (see Adapter.Hold).
//
// After a recovery the limits come back little by little (see ramp): all callers have waited for that moment, and who has just come back cannot take all of
// them at once.
//
// # Limits
//
// Requests in flight are bounded first, then the rate, so that a request leaves at once when its turn has come and the third party never sees more
// than the rate. Callers queue for both; only when the rate admits nobody for more than a second is the message parked. Waiting is added to the
// WaitClock of the context, as it is no work. Limits change while calls run.
//
// A request that need not wait pays for all this with three short locks and no allocation (BenchmarkAdmission).
//
// # Idempotency
//
// Every request carries the key it is given. Where the third party ignores keys and duplicates are refused, a request that may have had its effect is
// not sent again, or, with a status query, not before that said that there was none; not even by net/http, which repeats requests on reused connections when their method or a header named Idempotency-Key allows it.
//
// # Security
//
//   - Addresses are judged when they are dialled, after DNS: never loopback, link-local, multicast or metadata services, and private networks only where
//     opened. Redirects are not followed; proxy variables are ignored.
//   - Answers are bounded: 1 MiB of body, 64 KiB of headers, and the timeout for all of it.
//   - A token of OAuth2 is kept until shortly before it ends, and asked for by one request at a time. Where there is none to be had nobody is asked: that is no attempt,
//     and for the circuit a failure of the third party.
//   - Credentials are files, read again at most a second after they changed. While they cannot
//     be used the last good ones are, and the report says so. A client certificate that has ended is none: nobody is called (see Secured). Neither they nor anything of request and answer are in errors.
package adapter
