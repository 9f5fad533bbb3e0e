// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// answer is what came of one request.
type answer struct {
	result result
	reason outcome.Reason
	detail string
	// after is the third party's wish for the next attempt, 0 if it has none.
	after time.Duration
	// fateUnknown: the request may have had its effect.
	fateUnknown bool
}

type result int

const (
	success       result = iota + 1
	transient            // may pass
	permanent            // will not pass
	misconfigured        // was not sent, and will not be until someone changes something
	cut                  // our own context ended
)

// verdict is what the answer says about the third party rather than the message.
func (a answer) verdict() verdict {
	switch a.result {
	case success, permanent:
		return healthy
	case transient:
		return failing
	default:
		return noVerdict
	}
}

// repeatable says that asking again at once may help: not when the third party said when, or wants another credential.
func (a answer) repeatable() bool {
	return a.result == transient && a.after == 0 && a.reason != CredentialRefused
}

// classify is what the status of an answer means, where no success expression is to be asked.
func classify(response *http.Response, now time.Time) answer {
	status := response.StatusCode
	ans := answer{result: transient, reason: ServerError, after: retryAfter(response.Header.Get("Retry-After"), now),
		detail: strings.TrimSpace(fmt.Sprintf("answered %d %s", status, http.StatusText(status)))}
	switch {
	case status/100 == 2:
		return answer{result: success}
	case status/100 == 3:
		ans.result, ans.reason = permanent, Redirected
		ans.detail += ": redirects are not followed, set the adapter's url to where it leads"
	case status == http.StatusTooManyRequests:
		ans.reason = TooManyRequests
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		ans.reason = CredentialRefused
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		ans.fateUnknown = true // a gateway got no answer from who does the work
	case status/100 == 4:
		ans.result, ans.reason = permanent, RequestRefused
	}
	return ans
}

// retryAfter reads a Retry-After header, seconds or a date; 0 if there is none, or the time has come.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
