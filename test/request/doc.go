// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package request counts what an API server was asked, as its own metrics have it: what a test cannot see from outside, such as who else wrote what, and which writes were
// refused.
package request
