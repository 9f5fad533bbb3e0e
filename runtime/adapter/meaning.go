// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/expression"
)

// reader says what an answer means for which its expressions are to be asked.
type reader interface {
	// asks says whether an answer with this status is read for an expression.
	asks(status int) bool
	// of is what an answer means for which asks is true.
	of(ctx context.Context, response *http.Response, body []byte) answer
}

// meaning is what answers mean where more than the status is to be asked.
type meaning struct {
	honoursKeys bool
	success     *expression.Program // nil: every 2xx is one
	rules       []rule
}

// rule says what an answer means that is no success.
type rule struct {
	when    *expression.Program
	outcome worker.ResponseOutcome
}

func newMeaning(spec worker.Adapter) (meaning, error) {
	programs, err := compile(spec.ResponseExpressions())
	if err != nil {
		return meaning{}, err
	}
	m := meaning{honoursKeys: spec.Idempotency.KeysHonoured, success: programs[worker.SuccessField]}
	for i, r := range spec.ResponseRules {
		m.rules = append(m.rules, rule{programs[worker.RuleField(i)+".whenExpression"], r.Outcome})
	}
	return m, nil
}

// compile returns programs by the fields their expressions stand in.
func compile(expressions []worker.Expression) (map[string]*expression.Program, error) {
	programs := map[string]*expression.Program{}
	for _, e := range expressions {
		program, err := expression.Compile(e)
		if err != nil {
			return nil, err
		}
		programs[e.Field] = program
	}
	return programs, nil
}

func (m *meaning) asks(status int) bool {
	if status/100 == 2 {
		return m.success != nil
	}
	return len(m.rules) > 0
}

// of: a success, or what the first rule that matches says, or else what the status does.
func (m *meaning) of(ctx context.Context, response *http.Response, body []byte) answer {
	status := response.StatusCode
	if status/100 == 2 && len(body) > maxBody {
		return answer{result: transient, reason: ResponseTooLarge, fateUnknown: true,
			detail: fmt.Sprintf("answered %d with a body larger than %d bytes", status, maxBody)}
	}
	variables := variablesOf(response, body)
	ans := classify(response, body, m.honoursKeys, time.Now())
	if ans.result == success {
		ans = m.judge(ctx, status, variables)
		ans.after = retryAfter(response.Header.Get("Retry-After"), time.Now())
	}
	if ans.result == success {
		return ans
	}
	for i, r := range m.rules {
		if matches, err := r.when.Bool(ctx, variables); err == nil && matches { // else what it asks for is not in this answer
			return r.apply(ans, fmt.Sprintf("answered %d, and %s says %s", status, worker.RuleField(i), r.outcome))
		}
	}
	return ans
}

// judge asks the success expression about a 2xx answer.
func (m *meaning) judge(ctx context.Context, status int, variables expression.Variables) answer {
	ok, err := m.success.Bool(ctx, variables)
	if err != nil {
		return answer{result: transient, reason: ResponseUnreadable, fateUnknown: true,
			detail: fmt.Sprintf("answered %d, which is not as expected: %v", status, err)}
	}
	if !ok {
		return answer{result: transient, reason: ResponseRejected, detail: fmt.Sprintf("answered %d, but %s is false", status, worker.SuccessField)}
	}
	return answer{result: success}
}

// apply is what the rule makes of an answer. Whoever wrote the rule knows whether there was an effect.
func (r rule) apply(ans answer, detail string) answer {
	ruled := answer{detail: detail, after: ans.after}
	switch r.outcome {
	case worker.ResponseDone:
		return answer{result: success}
	case worker.ResponseRetry:
		ruled.result, ruled.reason = transient, ResponseRejected
	case worker.ResponsePark:
		ruled.result, ruled.reason = misconfigured, AccountRefused
	case worker.ResponseKeyReused:
		ruled.result, ruled.reason = permanent, KeyReused
	case worker.ResponseDead:
		ruled.result, ruled.reason = permanent, RequestRefused
	}
	return ruled
}

// variablesOf are an answer's. A body that is too large, or no JSON, is null.
func variablesOf(response *http.Response, body []byte) expression.Variables {
	r := expression.Response{Status: response.StatusCode, Headers: func() map[string]string {
		headers := map[string]string{}
		for name := range response.Header {
			headers[strings.ToLower(name)] = response.Header.Get(name)
		}
		return headers
	}}
	if len(body) <= maxBody {
		if decoded, err := expression.DecodeJSON(body); err == nil {
			r.Body = decoded
		}
	}
	return expression.OfResponse(r)
}
