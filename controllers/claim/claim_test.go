// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package claim

import (
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

func TestTheOldestWinsWhateverTheOrder(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var claims []Claim
		for _, id := range rapid.SliceOfNDistinct(rapid.IntRange(0, 99), 1, 9, rapid.ID).Draw(t, "uids") {
			age := rapid.IntRange(0, 3).Draw(t, "age")
			claims = append(claims, Claim{UID: types.UID(rune('a' + id)), Created: noon.Add(time.Duration(age) * time.Second)})
		}
		winner := Winner(claims)
		rand.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		if again := Winner(claims); again != winner {
			t.Fatalf("the winner depends on the order: %v and %v", winner, again)
		}
		for _, c := range claims {
			if c.Created.Before(winner.Created) {
				t.Fatalf("%v is older than the winner %v", c, winner)
			}
		}
	})
}
