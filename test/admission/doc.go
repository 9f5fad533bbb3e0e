// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission proves, on a real API server, that what one object shows to be wrong is refused with a sentence that says what to do.
//
// Each case is a pair: a manifest that a rule refuses, and the same manifest corrected as the message advises, which is accepted. A test walks the
// CRDs and fails for a rule that no case reaches, so that no rule is added without its pair. Another puts all values of the fields together that say how a
// consumer consumes, and wants each combination accepted, or refused with its sentences, as a table says.
package admission
