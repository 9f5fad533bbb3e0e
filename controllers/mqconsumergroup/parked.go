// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

const (
	// suspicious and suspicion are how often and for how long the same message has to fail to be suspected.
	suspicious = 5
	suspicion  = 30 * time.Second
)

// pause is how long a pod is parked before it is worth telling: at a limit, pods pause for a moment again and again.
const pause = 10 * time.Second

// obstacle is why pods hand out no message.
type obstacle struct {
	reason string
	// advice says what it means, and what to do.
	advice string
	// lasting: it does not pass before somebody has changed something.
	lasting bool
}

// obstacleOf explains the reason a pod reports.
func obstacleOf(reason string) obstacle {
	switch reason {
	case worker.ReasonAddressRefused:
		return obstacle{v1alpha1.ReasonAddressRefused, "the host of an adapter's url has an address that third parties may not have: correct spec.url of the ThirdPartyAdapter, or let the operator's flag -private-networks allow the network", true}
	case worker.ReasonNothingThere:
		return obstacle{v1alpha1.ReasonNothingThere, "the third party answers 404 or 405 to all requests of a step: correct spec.url of the ThirdPartyAdapter, or the step's path", true}
	case worker.ReasonCredentialMissing:
		return obstacle{v1alpha1.ReasonCredentialMissing, "the pods do not find the Secret of an adapter, or cannot use what is in it: correct the Secrets that spec.auth and spec.tls of the ThirdPartyAdapter name; pods see it about a minute later", true}
	case worker.ReasonDeadLetterRefused:
		return obstacle{v1alpha1.ReasonDeadLetterRefused, "a broker does not take a dead letter, and without it the message is not given up: check that the broker is up, its disk, and that the pods' access key may write the group's %DLQ% topic", false}
	case worker.ReasonCredentialRefused:
		return obstacle{v1alpha1.ReasonCredentialRefused, "the third party does not take the account's credential: renew it in the Secret that spec.auth of the ThirdPartyAdapter names, or settle it with the third party", false}
	case worker.ReasonTokenUnavailable:
		return obstacle{v1alpha1.ReasonTokenUnavailable, "the token endpoint of an adapter gives no token: if it does not come back by itself, correct spec.auth.oauth2.tokenURL of the ThirdPartyAdapter", false}
	case worker.ReasonAccountRefused:
		return obstacle{v1alpha1.ReasonAccountRefused, "the third party refuses the account, by a rule in response.rules of the ThirdPartyAdapter: settle it with the third party; a message is tried every 5 s", false}
	case worker.ReasonSuspended, worker.ReasonAdapterSuspended:
		return obstacle{reason, "the suspension is over, and the pods have not heard of it yet", false}
	case worker.ReasonRateLimited:
		return obstacle{v1alpha1.ReasonRateLimited, "the account's limit admits no more requests: raise rateLimit of the ThirdPartyAdapter if the account allows more", false}
	}
	advice := "the third party does not answer as it should, see ThirdPartyDown: messages are sent when it is back"
	if reason != worker.ReasonCircuitOpen {
		advice = fmt.Sprintf("%s (%s)", advice, cmp.Or(reason, "no reason given"))
	}
	return obstacle{v1alpha1.ReasonCircuitOpen, advice, false}
}

// parking is what the pods that answered say of not handing out messages.
type parking struct {
	answered, parked int
	since            time.Time // the first of them
	obstacle         obstacle  // the most lasting of them
	held             int       // queues without a committed offset
	// messages that pods have at hand, and the probe that fails again and again, which is one of them.
	messages int
	probe    *worker.Probe
}

func seeParking(seen *inputs, now time.Time) (p parking) {
	for _, r := range seen.reports {
		if r.Err != nil {
			continue
		}
		a := r.Answer
		p.answered++
		p.held += a.QueuesHeld
		p.messages += a.Waiting + a.InFlight
		if !a.Parked || a.ParkedSince == nil || now.Sub(*a.ParkedSince) < pause {
			continue
		}
		p.parked++
		if probe := a.Probe; probe != nil && probe.Failed >= suspicious && now.Sub(probe.Since) >= suspicion {
			p.probe = probe
		}
		if why := obstacleOf(a.ParkedReason); p.parked == 1 || why.lasting && !p.obstacle.lasting {
			p.obstacle = why
		}
		if p.since.IsZero() || a.ParkedSince.Before(p.since) {
			p.since = *a.ParkedSince
		}
	}
	return p.suspect()
}

func (p parking) message() string {
	return fmt.Sprintf("%d of %d pods hand out no message since %s: %s", p.parked, p.answered, p.since.UTC().Format(time.RFC3339), p.obstacle.advice)
}

// suspect replaces the obstacle where one message is all that is left to look for a third party's return with: it may be that which fails. It gives no number of
// failures: each would be a change.
func (p parking) suspect() parking {
	if p.probe == nil || p.messages > 1 || p.obstacle.reason != v1alpha1.ReasonCircuitOpen {
		return p
	}
	p.obstacle = obstacle{reason: v1alpha1.ReasonProbeFailing, advice: fmt.Sprintf(
		"message %s, offset %d of queue %s, is the only one left to try, and fails again and again since %s: either the third party is down, see ThirdPartyDown, or that message is at fault: "+
			"then name it in spec.skipMessageIDs, which makes it a dead letter; other messages are tried as soon as there are any",
		p.probe.MessageID, p.probe.Offset, p.probe.Queue, p.probe.Since.UTC().Format(time.RFC3339))}
	return p
}

// flowing is done unless pods are parked until somebody changes something. An outage that passes by itself leaves a group Ready.
func flowing(seen *inputs, now time.Time) result.Result {
	if seen.unheard {
		return standingFlow(seen)
	}
	if p := seeParking(seen, now); p.parked > 0 && p.obstacle.lasting {
		return result.Stall(p.obstacle.reason, "%s", p.message()).Again(lookAgain)
	}
	return result.Result{}
}

// parked is the condition Parked.
func parked(seen *inputs, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionParked, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotParked, Message: "no pod is parked"}
	before := standing(seen, c.Type)
	switch p := seeParking(seen, now); {
	case before != nil && !seen.suspended.holds() && before.Reason != worker.ReasonSuspended && before.Reason != worker.ReasonAdapterSuspended:
		return *before
	case seen.suspended.holds():
		c.Status, c.Reason = metav1.ConditionTrue, seen.suspended.reason
		c.Message = fmt.Sprintf("%s: no message is fetched or begins to be handled, and messages wait in the broker; Drained says what runs yet", seen.suspended.by)
	case p.parked > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, p.obstacle.reason, p.message()
	case p.held > 0:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonOffsetsNotSeeded
		c.Message = fmt.Sprintf("%d queues are held back, since the group has no committed offset there: OrderFlow sets it within seconds; if it does not, BrokerReady says why", p.held)
	case p.answered == 0 && len(seen.reports) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonPodsNotAnswering, "no pod has answered, see ConfigCurrent"
	}
	return c
}

// parkingMoved reports whether the condition Parked is not what the status says.
func parkingMoved(seen *inputs, now time.Time) bool {
	if seen.suspended.holds() { // whatever pods say: see drainMoved
		return false
	}
	was, is := seen.group.Status.Conditions, parked(seen, now)
	return !condition.Is(was, is.Type, is.Status) || condition.Describe(was, is.Type) != is.Reason+": "+is.Message
}
