// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"bytes"
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
	// untouched: an answer to a status query, which says that an earlier request had no effect.
	untouched bool
	// unauthorized: another token may help.
	unauthorized bool
	// absent: the third party has nothing at this URL, or not for this method.
	absent bool
	// waited is for how long, within the request, the rate had to be waited for: that is not the third party's time.
	waited time.Duration
}

// behind is the answer to a request that was made again, which does not tell what became of the earlier one.
func (a answer) behind(earlier answer) answer {
	a.fateUnknown = a.fateUnknown || earlier.fateUnknown
	return a
}

type result int

const (
	success       result = iota + 1
	transient            // may pass
	permanent            // will not pass
	misconfigured        // will not pass until someone changes something, whatever the message
	cut                  // our own context ended
	denied               // nothing was asked, as there is no token to ask with
)

// verdict is what the answer says about the third party rather than the message.
func (a answer) verdict() verdict {
	switch {
	case a.result == success, a.result == permanent, a.reason == KeyInUse, a.reason == AccountRefused:
		return healthy
	case a.result == transient, a.result == denied:
		return failing
	default:
		return noVerdict
	}
}

// repeatable says that asking again at once may help: not when the third party said when, or wants another credential.
func (a answer) repeatable() bool {
	return a.result == transient && a.after == 0 && a.reason != CredentialRefused
}

// classify is what the status of an answer means, where no expression decides, of a third party that honours keys or does not. The body matters for 422.
func classify(response *http.Response, body []byte, honoursKeys bool, now time.Time) answer {
	status := response.StatusCode
	if status/100 == 2 {
		return answer{result: success}
	}
	ans := answer{result: transient, reason: ServerError, after: retryAfter(response.Header.Get("Retry-After"), now),
		detail: strings.TrimSpace(fmt.Sprintf("answered %d %s", status, http.StatusText(status)))}
	switch {
	case status/100 == 3:
		ans.result, ans.reason = permanent, Redirected
		ans.detail += ": redirects are not followed, set the adapter's url to where it leads"
	case status == http.StatusTooManyRequests:
		ans.reason = TooManyRequests
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		ans.reason, ans.unauthorized = CredentialRefused, status == http.StatusUnauthorized
		ans.detail += ": the account is refused rather than the message, see the adapter's auth"
	case status == http.StatusConflict && honoursKeys:
		ans.reason = KeyInUse
	case status == http.StatusUnprocessableEntity && honoursKeys && bytes.Contains(bytes.ToLower(body), []byte("idempotency")):
		// draft-ietf-httpapi-idempotency-key-header answers so. Any 422 is the message's fault; that its body names the reason tells which.
		ans.result, ans.reason = permanent, KeyReused
		ans.detail += ": the idempotency key was used before with another body"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status >= 520 && status <= 527: // the last are Cloudflare's
		ans.fateUnknown = true // a gateway got no answer from who does the work
	case status/100 == 4:
		ans.result, ans.reason = permanent, RequestRefused
		ans.absent = status == http.StatusNotFound || status == http.StatusMethodNotAllowed
	}
	return ans
}

// retryAfter reads a Retry-After header, seconds or a date; 0 if there is none, or the time has come.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0 // said at once, as most answers have none
	}
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
