// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package broker gives Go tests a real RocketMQ.
//
// Shared is the broker of a whole test run. If ORDERFLOW_NAMESRV names a name server (host:port), all packages use that
// one; else each test binary starts one of its own at the first call, and Main stops it at the end:
//
//	func TestMain(m *testing.M) { broker.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		mq := broker.Shared(t)
//		topic := broker.Name(t, "Orders")
//		…
//	}
//
// Tests that share a broker keep apart by the names of their topics and groups, which Name makes unique, and never
// stop, pause or reconfigure it. A test that has to, or that needs another configuration, starts one with Own.
//
// Topics and groups are not created on first use: a test creates what it needs, as the operator would.
//
// A missing prerequisite, such as Java, fails the test with a sentence that says what to install. Nothing is skipped:
// a test that did not run proves nothing.
package broker
