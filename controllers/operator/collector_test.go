// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"runtime"
	"testing"
)

func TestGarbageMayLieAboutWhileWhatIsHeldGrows(t *testing.T) {
	const mib = 1 << 20
	for sentence, test := range map[string]struct {
		before, now uint64
		want        int
	}{
		"nothing was held":          {0, 80 * mib, gcGrowing},
		"caches are being filled":   {100 * mib, 120 * mib, gcGrowing},
		"a few objects more":        {100 * mib, 103 * mib, gcSettled},
		"as before":                 {100 * mib, 100 * mib, gcSettled},
		"many objects were deleted": {100 * mib, 40 * mib, gcSettled},
	} {
		if got := gcPercent(test.before, test.now); got != test.want {
			t.Errorf("%s: %d percent, want %d", sentence, got, test.want)
		}
	}
}

func TestWhatIsHeldIsKnown(t *testing.T) {
	before := lastCollection()
	kept := make([]byte, 64<<20)
	runtime.GC()
	if got := lastCollection(); got.held < uint64(len(kept)) || got.cycle <= before.cycle {
		t.Errorf("%d bytes are held, and it says %+v", len(kept), got)
	}
	runtime.KeepAlive(kept)
}
