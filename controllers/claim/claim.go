// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package claim

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Claim is an object that declares a name.
type Claim struct {
	// Object that claims.
	Object types.NamespacedName
	// UID decides between objects of the same second.
	UID types.UID
	// Created is when the object was made.
	Created time.Time
}

// Winner returns the oldest claim. claims has at least one, and holds only those on one physical cluster.
func Winner(claims []Claim) Claim {
	return slices.MinFunc(claims, Compare)
}

// Compare is negative where a goes before b: it is older.
func Compare(a, b Claim) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.UID, b.UID))
}
