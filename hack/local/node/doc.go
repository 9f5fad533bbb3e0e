// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package node describes a Kubernetes of one node, control plane included, as data: which programs, with which arguments and
// configuration files, and how each says that it is ready.
//
// Plan renders everything out of a Layout without touching the machine. Files go into the cluster's folder; then Core is
// started, Manifests are applied, and Rest is started. Only Secure has a memory: keys
// and certificates are made once per cluster and found again by the next call.
//
// The cluster is an honest one where it matters to the operator: Node and RBAC authorization, the default admission plugins
// (pod security by namespace label, ValidatingAdmissionPolicy), client certificates for every component, a
// kubelet that asks the API server who may read logs. It is a cluster for development where it does not: etcd does not
// sync to disk, and certificates live a year.
package node
