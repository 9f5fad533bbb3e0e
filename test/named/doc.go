// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package named proves that the tests that documents name exist: what a page says is shown by a test stays shown when the test is renamed.
package named
