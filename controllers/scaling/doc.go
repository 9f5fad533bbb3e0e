// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scaling decides how many pods a group should have. It is pure: Decide sees an Input and answers with a number, the bound that
// held it, and a sentence with the figures it was made of, which is what a user reads in status.scaling.
//
//	wanted = ceil((arrival rate + lag ÷ targetDrainTime) ÷ rate per replica)
//
// The rate per replica is what the committed offsets advanced per ready replica while messages were waiting; package lag measures it. A
// quiet group shows how few messages come, not how many it could handle, so without waiting messages there is nothing to learn.
//
// What holds the number, in the order in which it is asked:
//
//	Minimum, Maximum    the user's bounds, always; Queues: a pod more than there are queues would have none
//	Suspended           no pod handles anything: not even zero wakes
//	LagUnknown          what is not known changes nothing
//	(wake)              any lag at zero replicas starts one pod, whatever the rate
//	RateUnknown         nothing was learnt about the rate yet
//	CircuitOpen         a third party is down: more pods cannot help
//	RolloutInProgress   the last step's pods are not ready: it has not shown yet what it brings
//	StepLimit           10 s between steps, 30 s before a step down
//	InFlight            the last pod stays while messages are in flight in it, or it was not heard
//
// Up goes as far as needed at once, down goes one pod at a time, and only if a tenth more work would still fit into fewer pods: each step
// moves queues between pods, so a number that flutters costs more than one pod too many.
package scaling
