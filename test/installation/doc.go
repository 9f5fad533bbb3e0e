// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installation puts what is in config/ onto a real API server that asks RBAC, as kubectl would, and acts there as anybody.
//
//	i := installation.Start(t, "default")   // config/default, but for its Deployment: nothing would run it
//	anna := i.Client(t, "anna", "shop")     // somebody without a right; i.Admin gives them some
//
// It needs etcd, kube-apiserver and kubectl in the folder that KUBEBUILDER_ASSETS names; a test that lacks them fails and says so.
package installation
