// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dial connects to brokers, workers and third parties, and refuses the addresses none of them has. Whoever writes an MQCluster or a ThirdPartyAdapter, answers a
// DNS query or a route, must not lead the operator or a worker to itself, to its node or to the cloud's metadata service. The address is checked when it
// is dialled, after the name was looked up, so that a name which changes its meaning in between gains nothing.
//
// Every connection of the operator and of workers is made here, but for those to the API server and to the collector of traces, which whoever installs
// the operator names: the linters know no other place that may dial. Private networks are where brokers live; to third parties they are closed unless opened one by one.
package dial
