// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package suite is what the tests of reconcilers share: a real API server with OrderFlow's kinds, and around it no manager. A test calls
// Reconcile itself, as often as it wants, and looks at what is there then; nothing happens behind its back.
//
//	func TestMain(m *testing.M) { suite.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		s := suite.New(t)                     // a namespace of its own, an Applier, a Connector, a recorder of events
//		mq := fake.Start(t, fake.Config{})    // a RocketMQ of its own, see internal/rocketmq/fake
//		cluster := s.Cluster(mq.NameServer()) // a valid MQCluster, to be changed and created
//		…
//	}
//
// Every status that a reconciler writes, in any test, is read as kubectl wait, Flux and Argo CD read it (kstatus): one that they would misunderstand fails the
// test, and so does one that says what was there before.
//
// One API server serves all tests of a binary; they keep apart by their namespaces. It needs etcd and kube-apiserver in the folder that
// KUBEBUILDER_ASSETS names; a test that lacks them fails and says so.
package suite
