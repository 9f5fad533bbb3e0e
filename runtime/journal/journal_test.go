// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func id(n int) (id ID) {
	id[0], id[1] = byte(n>>8), byte(n)
	return id
}

// open opens the journal as the next life of a process that had no time to say anything.
func open(t testing.TB, path string, hands int) *Journal {
	t.Helper()
	j, err := Open(path, hands)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func wantDeaths(t *testing.T, j *Journal, want map[int]int) {
	t.Helper()
	if j.Suspects() != len(want) {
		t.Errorf("%d suspects, want %d", j.Suspects(), len(want))
	}
	for n, deaths := range want {
		if got := j.Deaths(id(n)); got != deaths {
			t.Errorf("message %d was in flight at %d deaths, want %d", n, got, deaths)
		}
	}
}

func TestADeathLeavesSuspects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, 4)
	places := map[int]int{}
	for n := 1; n <= 4; n++ {
		places[n] = j.Begin(id(n))
	}
	j.End(places[3], true)  // done
	j.End(places[4], false) // another's now
	wantDeaths(t, j, map[int]int{})

	j = open(t, path, 4)
	wantDeaths(t, j, map[int]int{1: 1, 2: 1})
	j.End(j.Begin(id(1)), true)
	j.End(j.Begin(id(2)), false) // parked: it remains under suspicion
	wantDeaths(t, j, map[int]int{2: 1})
	j.Begin(id(2))

	j = open(t, path, 4)
	wantDeaths(t, j, map[int]int{2: 2})

	j = open(t, path, 4) // a life in which it did not come
	wantDeaths(t, j, map[int]int{2: 2})
	j.Begin(id(2))
	wantDeaths(t, open(t, path, 4), map[int]int{2: Deadly})
}

func TestACleanEndLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path, 2)
	j.End(j.Begin(id(1)), true)
	j.End(j.Begin(id(2)), false)
	wantDeaths(t, open(t, path, 2), map[int]int{})
}

func TestWhatIsNoJournalIsAnEmptyOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	whole := open(t, path, 1)
	whole.Begin(id(1))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "another file": []byte("something else, which happens to be longer than the header of a journal is, by far"), "cut off within a place": good[:placeSize+20],
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			wantDeaths(t, open(t, path, 1), map[int]int{})
		})
	}
	if _, err := Open(filepath.Join(path, "below a file"), 1); err == nil {
		t.Error("a journal was opened where none can be")
	}
}

func TestTheSameMessageTwiceInFlightIsNotedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	open(t, path, 2).Begin(id(1))
	j := open(t, path, 2)
	first, second := j.Begin(id(1)), j.Begin(id(1))
	if first == second {
		t.Fatalf("both are at %d: the end of one would be the end of both", first)
	}
	j.End(first, true)
	j.End(second, true)
	wantDeaths(t, j, map[int]int{})
}

func TestOfAMessageTwiceInFlightTheMoreDeathsCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	open(t, path, 2).Begin(id(1))
	j := open(t, path, 2)
	j.Begin(id(1))
	j.Begin(id(1)) // a copy of it, which was in flight at no death before
	j = open(t, path, 2)
	wantDeaths(t, j, map[int]int{1: 2})
	j.Begin(id(1))
	wantDeaths(t, open(t, path, 2), map[int]int{1: Deadly})
}

// TestOverManyLives compares with a model in which nothing is forgotten. It has more suspects than a process has hands, which is where they are.
func TestOverManyLives(t *testing.T) {
	const hands = 3
	path := filepath.Join(t.TempDir(), "journal")
	rapid.Check(t, func(t *rapid.T) {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		j, err := Open(path, hands)
		if err != nil {
			t.Fatal(err)
		}
		running, deaths := map[int]int{}, map[int]int{} // places and deaths by message
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.IntRange(1, 6).Draw(t, "message")
			place, runs := running[n]
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				if j, err = Open(path, hands); err != nil {
					t.Fatal(err)
				}
				for n := range running {
					deaths[n]++
				}
				clear(running)
				for n, most := range deaths { // what was forgotten had the fewest deaths
					if got := j.Deaths(id(n)); got != most && j.Suspects() < hands || got > most {
						t.Fatalf("message %d was in flight at %d deaths, want %d", n, got, most)
					}
					deaths[n] = j.Deaths(id(n))
				}
			case 1, 2:
				if runs {
					j.End(place, true)
					delete(running, n)
					deaths[n] = 0
				}
			case 3:
				if runs {
					j.End(place, false)
					delete(running, n)
				}
			default:
				if !runs && len(running) < hands {
					if running[n] = j.Begin(id(n)); running[n] == None {
						t.Fatalf("no place for one of %d", len(running))
					}
				}
			}
		}
	})
}

func TestWithoutAJournalNothingIsNoted(t *testing.T) {
	var j *Journal
	j.End(j.Begin(id(1)), true)
	wantDeaths(t, j, map[int]int{})
}

func BenchmarkNote(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal"), 20)
	b.ReportAllocs()
	for b.Loop() {
		j.End(j.Begin(id(1)), true)
	}
}
