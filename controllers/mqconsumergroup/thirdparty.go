// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// view is one third party as the group's pods see it together.
type view struct {
	// open and half-open circuits, of the pods that answered.
	open, halfOpen, answered int
	// lastError of any pod, and when.
	lastError string
	lastTime  time.Time
	// prober is the zero Prober where each pod goes by itself.
	prober workersync.Prober
}

// see sums up what the pods report of the adapter.
func see(seen *inputs, adapter string) (v view) {
	for _, r := range seen.reports {
		if prober, is := r.Probers[adapter]; is {
			v.prober = prober
		}
		for _, a := range r.Answer.Adapters {
			if r.Err != nil || a.Name != adapter {
				continue
			}
			v.answered++
			switch a.Circuit {
			case worker.CircuitOpen:
				v.open++
			case worker.CircuitHalfOpen:
				v.halfOpen++
			}
			if a.LastErrorTime != nil && a.LastErrorTime.After(v.lastTime) {
				v.lastError, v.lastTime = a.LastError, *a.LastErrorTime
			}
		}
	}
	return v
}

func (v view) circuit() v1alpha1.CircuitState {
	switch {
	case v.answered == 0:
		return v1alpha1.CircuitUnknown
	case v.open > 0:
		return v1alpha1.CircuitOpen
	case v.halfOpen > 0:
		return v1alpha1.CircuitHalfOpen
	}
	return v1alpha1.CircuitClosed
}

func adapterUses(seen *inputs) []v1alpha1.AdapterUse {
	var uses []v1alpha1.AdapterUse
	for _, name := range seen.group.Spec.Handler.Adapters() {
		if seen.unheard {
			uses = append(uses, standingUse(seen, name))
			continue
		}
		v := see(seen, name)
		use := v1alpha1.AdapterUse{Name: name, Circuit: v.circuit(), Prober: v.prober.Name}
		if use.Prober != "" {
			use.ProberSince = new(metav1.NewTime(v.prober.Since.Truncate(time.Second))) // as the API keeps it
		}
		uses = append(uses, use)
	}
	return uses
}

// thirdPartyDown is True while a circuit is open, and while one that was probes: until a request succeeded nobody is back.
func thirdPartyDown(group *v1alpha1.MQConsumerGroup, seen *inputs, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionThirdPartyDown, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCircuitClosed, Message: "requests flow"}
	if group.Spec.Dispatch == v1alpha1.DispatchShadow {
		c.Message = "no third party is called: dispatch is Shadow"
		return c
	}
	if c := standing(seen, c.Type); c != nil {
		return *c
	}
	since := now
	before := meta.FindStatusCondition(group.Status.Conditions, c.Type)
	wasDown := before != nil && before.Status == metav1.ConditionTrue
	if wasDown {
		since = before.LastTransitionTime.Time
	}
	var down, unheard, errors []string
	var probing string
	for _, name := range seen.group.Spec.Handler.Adapters() {
		v := see(seen, name)
		switch {
		case v.answered == 0:
			unheard = append(unheard, name)
		case v.open > 0, wasDown && v.halfOpen > 0:
			down = append(down, v.sentence(name, since))
			probing += v.probing()
			if v.lastError != "" {
				errors = append(errors, v.lastError)
			}
		}
	}
	switch {
	case len(down) > 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen
		c.Message = strings.Join(down, ", ") + waits(seen, now) + probing
		if len(errors) > 0 {
			c.Message += "; last error: " + strings.Join(errors, ", ")
		}
	case len(unheard) > 0:
		c.Status, c.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotRead
		c.Message = "no pod answered that calls adapter " + strings.Join(unheard, ", ")
	case seeParking(seen, now).parked > 0:
		c.Message = "no circuit is open, but pods are parked for another reason: see Parked"
	}
	return c
}

func (v view) sentence(adapter string, since time.Time) string {
	return fmt.Sprintf("circuit of adapter %s is open in %d of %d pods since %s", adapter, v.open+v.halfOpen, v.answered, since.UTC().Format(time.RFC3339))
}

// probing says who looks for the third party's return, where one does for all.
func (v view) probing() string {
	if v.prober.Name == "" {
		return ""
	}
	return "; " + v.prober.String()
}

// waits says what becomes of the messages.
func waits(seen *inputs, now time.Time) string {
	number := "messages"
	if told := seen.group.Status.Lag; seen.unread && told != nil {
		number = thousands(*told) + " messages"
	} else if seen.signals.Fresh(now) {
		number = thousands(seen.signals.Lag) + " messages"
	}
	return ": " + number + " wait in the broker; they are sent when the third party is back"
}

// thousands writes 4210 as 4,210.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
