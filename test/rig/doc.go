// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rig is a data plane without a cluster, for experiments that need real processes: a RocketMQ, workers as the pods run
// them, third parties, and an order system that pays until it is told to stop.
//
// # What it is made of
//
//   - A Lab has a broker of its own and the worker's binary. It lives on an address of this machine besides loopback, which
//     workers never dial. Its broker's delay levels are seconds, so that retries come within an experiment.
//   - A Flow is a topic and a group, as the operator makes them, and the orders that were paid.
//   - A Pod is a worker process, its files and its ports, to be killed, frozen, started again.
//   - A Party is the third parties of package stub behind a port that can be closed, or a certificate that can expire.
//   - Judge compares what was paid with what the party did, by package ledger.
//
// # Invariants
//
//   - An order counts as paid when the broker confirmed its message, and whenever the broker holds it. Who pays sends again until
//     it is confirmed, so a message may lie in the broker twice: a call for each is no duplicate.
//   - A pod that is frozen or killed ends with the test at the latest, and with this process.
package rig
