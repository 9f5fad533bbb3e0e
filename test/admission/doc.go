// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission proves, on a real API server, that what one object shows to be wrong is refused with a sentence that says what to do.
//
// The manifests are in test/invalid. The checks are read from the CRDs (required, enum, bounds, patterns, unique keys, CEL rules), and each has to refuse
// one, with its field and its message; where a message advises something, that is accepted. Another test puts all values of the fields together that say how
// a consumer consumes, and wants each combination accepted, or refused with its sentences, as a table says. The CRDs themselves are small enough for plain
// kubectl apply, say their defaults where they describe a field, and can carry another version.
package admission
