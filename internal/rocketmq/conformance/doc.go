// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conformance says, as tests, what internal/rocketmq relies on in a name
// server and a broker. It runs against a real RocketMQ and against the fake of
// package fake, so that what is tested with the fake holds for the real one.
//
// Every test makes topics and groups of its own, so that runs may share a broker.
package conformance
