// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificate says whether what a Secret holds can be used to show a third party who we are, and to see who it is. The operator asks it before pods get
// the Secret, and pods before they use it: both mean the same, and say it in the same words, which name keys and dates and never quote what was read.
package certificate
