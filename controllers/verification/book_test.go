// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package verification

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var (
	noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	push = types.NamespacedName{Namespace: "shop", Name: "push"}
)

func TestAVerificationIsDueAgainWithTimeOrChange(t *testing.T) {
	const every = 5 * time.Minute
	for sentence, test := range map[string]struct {
		do    func(*Book)
		state string
		after time.Duration
		want  bool
	}{
		"never verified":        {func(*Book) {}, "as it was", 0, true},
		"just verified":         {func(b *Book) { b.Note(push, "as it was", noon) }, "as it was", time.Second, false},
		"before its time":       {func(b *Book) { b.Note(push, "as it was", noon) }, "as it was", every/2 - 1, false},
		"too long ago":          {func(b *Book) { b.Note(push, "as it was", noon) }, "as it was", every * 3 / 2, true},
		"of another state":      {func(b *Book) { b.Note(push, "as it was", noon) }, "changed", time.Second, true},
		"of another object":     {func(b *Book) { b.Note(types.NamespacedName{Name: "other"}, "as it was", noon) }, "as it was", time.Second, true},
		"forgotten":             {func(b *Book) { b.Note(push, "as it was", noon); b.Forget(push) }, "as it was", time.Second, true},
		"verified anew in time": {func(b *Book) { b.Note(push, "as it was", noon); b.Note(push, "as it was", noon.Add(every)) }, "as it was", every*3/2 - 1, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			b := New(every)
			test.do(b)
			if got := b.IsDue(push, test.state, noon.Add(test.after)); got != test.want {
				t.Errorf("due is %t, want %t", got, test.want)
			}
		})
	}
}

func TestObjectsMadeAtOneMomentAreNotDueAtOne(t *testing.T) {
	b := New(time.Hour)
	due := map[time.Time]bool{}
	for range 10 {
		b.Note(push, "", noon)
		due[b.entries[push].due] = true
	}
	if len(due) < 2 {
		t.Error("all are due at the same moment")
	}
}

func TestWithoutABookAllIsDue(t *testing.T) {
	var b *Book
	b.Note(push, "", noon)
	b.Forget(push)
	if !b.IsDue(push, "", noon) {
		t.Error("nothing remembers it, and it is not due")
	}
}

func TestAnObjectIsLookedAtWhenItIsDue(t *testing.T) {
	const every = 5 * time.Minute
	b := New(every)
	if got := b.Until(push, noon); got != 0 {
		t.Errorf("it was never verified, and is due in %v", got)
	}
	b.Note(push, "", noon)
	next := b.Until(push, noon)
	if next < every/2 || next > every*3/2 || b.IsDue(push, "", noon.Add(next-time.Nanosecond)) || !b.IsDue(push, "", noon.Add(next)) {
		t.Errorf("it is due in %v, and then it is not", next)
	}
	if got := b.Until(push, noon.Add(every*2)); got != time.Second {
		t.Errorf("it should have been verified long ago, and is due in %v", got)
	}
	b.Forget(push)
	if got := b.Until(push, noon); got != 0 {
		t.Errorf("it was forgotten, and is due in %v", got)
	}
}
