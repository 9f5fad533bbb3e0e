// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scene sets the stage for experiments on a real cluster: the operator installed, the order system and the third parties of tests
// running as pods, the sample applied, and everything within reach of a test on this machine.
//
//	test or demo ──API server's service proxy──▶ shop   (pays orders, keeps the order database)
//	                                         └─▶ stub   (plays the third parties, keeps every call)
//	             ──kubectl──▶ config/local, config/samples/order-paid
//	             ──remoting─▶ broker             (dead letters)
//
// What an experiment proves it proves from the order database, the stub's calls and the dead letters (package ledger), never from OrderFlow's own
// metrics. The package only sets and reads; what is done to the scene (a third party dies, a worker is killed) is the experiment's.
//
// Steering goes through the API server, so it works on every kind of cluster; no measured request does.
package scene
