// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rocketmq speaks the remoting protocol of Apache RocketMQ 5.x: calls
// to name servers and brokers, their administration, and what consuming is made
// of (pull, commit, lock, heartbeat, send back).
package rocketmq
