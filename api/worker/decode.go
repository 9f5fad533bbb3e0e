// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DecodeStructure reads a Structure and says what is wrong with it. Unknown fields are refused: a worker that is older than its operator must not
// run with half of what was declared. It can only be older where the user names the image (spec.workload.image).
func DecodeStructure(data []byte) (Structure, error) {
	var s Structure
	if err := decode(data, &s, true); err != nil {
		return Structure{}, fmt.Errorf("reading the worker's structure: %w", err)
	}
	if err := s.validate(); err != nil {
		return Structure{}, fmt.Errorf("the worker's structure is not valid: %w", err)
	}
	return s, nil
}

// DecodeLive reads a Live and says what is wrong with it. Unknown fields are passed over: pods outlive an upgrade of their operator, and take what they know of
// what it writes. What an older worker must not pass over needs another Version, which is refused.
func DecodeLive(data []byte) (Live, error) {
	var l Live
	if err := decode(data, &l, false); err != nil {
		return Live{}, fmt.Errorf("reading the worker's limits: %w", err)
	}
	if err := l.Validate(); err != nil {
		return Live{}, fmt.Errorf("the worker's limits are not valid: %w", err)
	}
	return l, nil
}

func decode(data []byte, into any, strict bool) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON document")
	}
	return nil
}

func (s Structure) validate() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(s.Version != Version, "version is %d, this worker reads %d: run operator and worker of one release", s.Version, Version)
	refuse(s.Namespace == "" || s.Name == "", "namespace and name are needed")
	refuse(len(s.NameServers) == 0, "nameServers is empty")
	refuse(s.Group == "" || s.Topic == "", "group and topic are needed")
	refuse((s.TagExpression == "") == (s.SQLExpression == ""), "one of tagExpression and sqlExpression is needed")
	refuse(s.Mode != ModePush && s.Mode != ModePull, "mode is %q, not Push or Pull", s.Mode)
	refuse(s.MaxUncommitted < 1, "maxUncommitted is %d, not at least 1", s.MaxUncommitted)
	refuse(s.Concurrency < 1, "concurrency is %d, not at least 1", s.Concurrency)
	refuse(s.TerminationGrace <= 0, "terminationGrace is not positive")
	refuse(s.Retry.MaxAttempts < 1 || s.Retry.MaxDuration <= 0, "retry needs maxAttempts and maxDuration")
	refuse(!s.Expiry.valid(), "expiry needs after and sinceExpression")
	known := map[string]bool{}
	for _, a := range s.Adapters {
		refuse(known[a.Name], "adapter %q is given twice", a.Name)
		refuse(a.Name == "" || a.URL == "" || a.Idempotency.Header == "", "adapter %q needs name, url and idempotency.header", a.Name)
		for i, rule := range a.ResponseRules {
			refuse(!rule.Outcome.known(), "adapter %q: %s has outcome %q, which this worker does not know", a.Name, RuleField(i), rule.Outcome)
		}
		known[a.Name] = true
	}
	for _, m := range s.Handler.members() {
		refuse(m.of == s.Handler.Type && !m.given, "handler is of type %q, but what such a handler does is not given", m.of)
		refuse(m.of != s.Handler.Type && m.given, "handler is of type %q, but something is given for type %q", s.Handler.Type, m.of)
	}
	steps := s.Handler.StepAdapters()
	refuse(len(steps) == 0, "handler of type %q has no steps", s.Handler.Type)
	for _, name := range steps {
		refuse(!known[name], "handler refers to adapter %q, which is not given", name)
	}
	return errors.Join(errs...)
}

func (o ResponseOutcome) known() bool {
	switch o {
	case ResponseDone, ResponseRetry, ResponseDead, ResponsePark, ResponseKeyReused:
		return true
	}
	return false
}

func (e *Expiry) valid() bool { return e == nil || e.After > 0 && e.SinceExpression != "" }

// Validate says what is wrong with l.
func (l Live) Validate() error {
	var errs []error
	if l.Version != Version {
		errs = append(errs, fmt.Errorf("version is %d, this worker reads %d: run operator and worker of one release", l.Version, Version))
	}
	if l.Revision == "" {
		errs = append(errs, errors.New("revision is empty"))
	}
	for _, a := range l.Adapters {
		switch {
		case a.Name == "":
			errs = append(errs, errors.New("an adapter has no name"))
		case a.Timeout <= 0 || a.RequestAttempts < 1 || a.RetryDelay < 0 || a.RetryPercentage < 0:
			errs = append(errs, fmt.Errorf("adapter %q needs a positive timeout and requestAttempts, and no negative retryDelay or retryPercentage", a.Name))
		case !a.Breaker.valid():
			errs = append(errs, fmt.Errorf("adapter %q has a breaker without failurePercentage, minimumRequests, window or openDuration, or with a negative slowRequest", a.Name))
		case a.RequestsPerSecond < 0 || a.Concurrency < 0 || (a.RequestsPerSecond > 0 && a.Burst < 1):
			errs = append(errs, fmt.Errorf("adapter %q has a negative limit, or a rate without a burst", a.Name))
		}
	}
	return errors.Join(errs...)
}

func (b Breaker) valid() bool {
	return b.FailurePercentage >= 1 && b.FailurePercentage <= 100 && b.MinimumRequests >= 1 && b.Window > 0 && b.OpenDuration > 0 && b.SlowRequest >= 0
}
