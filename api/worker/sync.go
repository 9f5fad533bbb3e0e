// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import "time"

// SyncPath is where a pod answers the sync call: POST, JSON, `Authorization: Bearer <token>`.
const SyncPath = "/sync"

// SyncRequest is what the operator tells a pod, which passes over what only a newer one knows.
type SyncRequest struct {
	// Live, if the pod should run with other limits than it last reported. Nil: nothing new.
	Live *Live `json:"live,omitempty"`
	// Holds are what other pods know of third parties. An adapter that is not named stays as it is.
	Holds []Hold `json:"holds,omitempty"`
}

// Hold says that another pod finds a third party down, and looks for its return: until then this one opens its circuit too, and sends no probe. A pod
// whose circuit is closed, and which was served lately, knows better and ignores it.
type Hold struct {
	Adapter string `json:"adapter"`
	// Lease is how long the hold lasts by the pod's own clock unless it is stated anew, MaxLease at most. 0 ends a hold.
	Lease Duration `json:"lease,omitempty"`
}

// MaxLease bounds a hold: so long after the operator fell silent each pod goes by its own circuit again.
const MaxLease = 10 * time.Second

// SyncResponse is what a pod answers: facts of this moment, and totals since its start.
type SyncResponse struct {
	// Structure is the name of the ConfigMap the pod runs from.
	Structure string `json:"structure"`
	// LiveRevision the pod runs with.
	LiveRevision string `json:"liveRevision"`
	// LiveProblem says what is wrong with the newest limits, while the pod runs with older ones. Empty: nothing.
	LiveProblem string `json:"liveProblem,omitempty"`
	// Started is when the process began, to the second: totals begin anew with it.
	Started time.Time `json:"started"`
	// InFlight is the number of messages being handled.
	InFlight int `json:"inFlight"`
	// BusySeconds is the time spent handling messages since the start, over all of them; waiting for a limiter or a circuit is left out.
	BusySeconds float64 `json:"busySeconds"`
	// Handled is the number of messages handled since the start, whatever their outcome.
	Handled int64 `json:"handled"`
	// Waiting is the number of messages fetched and not handed out.
	Waiting int `json:"waiting,omitempty"`
	// Queues the pod owns.
	Queues int `json:"queues"`
	// QueuesHeld of them are not read, since the group has no committed offset there.
	QueuesHeld int `json:"queuesHeld,omitempty"`
	// SkippedMessageIDs are those of Live.SkipMessageIDs that the pod met and did not handle.
	SkippedMessageIDs []string `json:"skippedMessageIds,omitempty"`
	// MessagesLost is how many messages brokers deleted before they were read, and JumpsTotal how often a position jumped, since the start.
	MessagesLost int64 `json:"messagesLost,omitempty"`
	JumpsTotal   int64 `json:"jumpsTotal,omitempty"`
	// Jumps are the last of them, oldest first, at most MaxJumps.
	Jumps []Jump `json:"jumps,omitempty"`
	// OrderViolation: messages of one order key came in two queues. Nil: none did since the start.
	OrderViolation *OrderViolation `json:"orderViolation,omitempty"`
	// Parked says that the pod hands out no message but probes.
	Parked bool `json:"parked"`
	// ParkedReason, one of Reason…, and ParkedSince say why and since when. Empty: it is not parked.
	ParkedReason string     `json:"parkedReason,omitempty"`
	ParkedSince  *time.Time `json:"parkedSince,omitempty"`
	// Suspension is that of Live, once the pod has taken it over. Nil: it has not, or there is none.
	Suspension *Suspension `json:"suspension,omitempty"`
	// Probe is the message that was tried last while the pod is parked, and was parked again. Nil: none was.
	Probe *Probe `json:"probe,omitempty"`
	// Adapters by name.
	Adapters []AdapterReport `json:"adapters"`
}

// Suspension is how far a pod is that was told to hand out no message.
type Suspension struct {
	// Reason is Live.Suspended.
	Reason string `json:"reason"`
	// Draining: something runs yet, or is to run on since what lies above it is done.
	Draining bool `json:"draining,omitempty"`
	// Uncommitted messages are done and come again if the pod ends, as no broker has their offsets yet.
	Uncommitted int `json:"uncommitted,omitempty"`
}

// Probe is a message that is tried to find out whether handing out may go on.
type Probe struct {
	// Queue is topic@broker#id, MessageID the original one.
	Queue     string `json:"queue"`
	Offset    int64  `json:"offset"`
	MessageID string `json:"messageId"`
	// Failed is how often it was parked again since Since, with no other message tried between.
	Failed int       `json:"failed"`
	Since  time.Time `json:"since"`
}

// OrderViolation tells of messages whose order key was seen last in another queue.
type OrderViolation struct {
	// Messages counts them.
	Messages int64 `json:"messages"`
	// Last is when one came, in the first of Queues; the second is where its key had been: topic@broker#id.
	Last   time.Time `json:"last"`
	Queues [2]string `json:"queues"`
}

// Circuit is the state of a circuit breaker; the values are v1alpha1's.
type Circuit string

// The states.
const (
	CircuitClosed   Circuit = "Closed"
	CircuitHalfOpen Circuit = "HalfOpen"
	CircuitOpen     Circuit = "Open"
)

// AdapterReport is one third party as the pod sees it.
type AdapterReport struct {
	Name string `json:"name"`
	// Circuit is Closed too where others had opened it and nobody holds it any more: its next request is a probe.
	Circuit Circuit `json:"circuit"`
	// InFlight requests, and how many of them this pod allows itself now; 0 is any number.
	InFlight int `json:"inFlight"`
	Allowed  int `json:"allowed,omitempty"`
	// Outage is what the pod found out itself about a third party that is down. Nil: nothing, its circuit is closed or others have opened it.
	Outage *Outage `json:"outage,omitempty"`
	// Held: another pod probes, and this one waits for what comes of it.
	Held bool `json:"held,omitempty"`
	// Served is how long ago the third party last showed that it works. Nil: it never did since the start.
	Served *Duration `json:"served,omitempty"`
	// CredentialProblem says what is wrong with what the adapter's Secret holds now, while the pod goes on with what it held before. Empty: nothing.
	CredentialProblem string `json:"credentialProblem,omitempty"`
	// LastError names the last failure, without any data of the order. Empty: none since the start.
	LastError string `json:"lastError,omitempty"`
	// LastErrorTime is when it happened.
	LastErrorTime *time.Time `json:"lastErrorTime,omitempty"`
}

// Outage is why a pod holds its circuit open.
type Outage struct {
	// Lasts is how long ago failures opened the circuit.
	Lasts Duration `json:"lasts"`
	// Due is for how long a probe could have gone out and has not; 0 before its time, and while one is out.
	Due Duration `json:"due,omitempty"`
}
