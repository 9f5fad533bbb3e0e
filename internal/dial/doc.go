// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dial connects to brokers and third parties, and refuses the addresses neither has. Whoever writes an MQCluster or a ThirdPartyAdapter, answers a
// DNS query or a route, must not lead the operator or a worker to itself, to its node or to the cloud's metadata service. The address is checked when it
// is dialled, after the name was looked up, so that a name which changes its meaning in between gains nothing.
//
// Private networks are where brokers live; to third parties they are closed unless opened one by one.
package dial
