// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ID names a message, over its retries too.
type ID [28]byte

// Deadly is the number of deaths at which a message counts as their cause.
const Deadly = 3

// Journal is an open journal. A nil Journal remembers nothing. It is not safe for concurrent use: its owner's lock guards it. It stays open as long as the
// process lives.
type Journal struct {
	memory   []byte
	free     []int
	suspects map[ID]int // their places
}

// A file is a header and places, each in a cache line of its own. Byte order is the machine's: nobody else reads it.
//
//	header   magic
//	place    id | state | deaths
const (
	magic     = "orderflow journal 1\n"
	placeSize = 64
	stateAt   = len(ID{})
	deathsAt  = stateAt + 4
)

// The states of a place.
const (
	free     uint32 = iota
	inFlight        // somebody handles it
	suspect         // it was in flight when a process died, and is not now
)

// record is what a place holds.
type record struct {
	id     ID
	deaths uint32
}

// Open opens the journal at path for a process that has at most so many messages in flight. What was in flight when the last process ended is a suspect from
// now on. A file that is not there, or is no journal, is one in which nothing is noted.
func Open(path string, hands int) (*Journal, error) {
	suspects, err := read(path)
	if err != nil {
		return nil, err
	}
	// Those with the fewest deaths are forgotten first, so that suspects that never come again do not pile up.
	suspects = suspects[:min(len(suspects), hands)]
	content := encode(suspects, 2*hands)
	if err := replace(path, content); err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	j := &Journal{suspects: map[ID]int{}}
	if j.memory, err = mapped(path, len(content)); err != nil {
		return nil, fmt.Errorf("map the journal %s: %w", path, err)
	}
	for i := range 2 * hands {
		if i < len(suspects) {
			j.suspects[suspects[i].id] = i
		} else {
			j.free = append(j.free, i)
		}
	}
	return j, nil
}

// read returns the suspects that a journal leaves behind, those with the most deaths first. A message that was in flight twice is one suspect, with the more
// deaths of the two.
func read(path string) ([]record, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the journal: %w", err)
	case len(data) < placeSize || string(data[:len(magic)]) != magic:
		return nil, nil
	}
	var suspects []record
	for place := range slices.Chunk(data[placeSize:], placeSize) {
		if len(place) < placeSize {
			break
		}
		r := record{id: ID(place), deaths: binary.NativeEndian.Uint32(place[deathsAt:])}
		switch binary.NativeEndian.Uint32(place[stateAt:]) {
		case inFlight:
			r.deaths++
			suspects = append(suspects, r)
		case suspect:
			suspects = append(suspects, r)
		}
	}
	slices.SortStableFunc(suspects, func(a, b record) int { return cmp.Compare(b.deaths, a.deaths) })
	known := map[ID]bool{}
	return slices.DeleteFunc(suspects, func(r record) bool {
		again := known[r.id]
		known[r.id] = true
		return again
	}), nil
}

// encode is a journal of so many places with these suspects.
func encode(suspects []record, places int) []byte {
	data := make([]byte, (1+places)*placeSize)
	copy(data, magic)
	for i, s := range suspects {
		place := data[(1+i)*placeSize:]
		copy(place, s.id[:])
		binary.NativeEndian.PutUint32(place[stateAt:], suspect)
		binary.NativeEndian.PutUint32(place[deathsAt:], s.deaths)
	}
	return data
}

// replace puts a whole file in another's place: who dies meanwhile leaves the old or the new one. Each byte is written, since a page that the file system has
// no room for would kill who touches it.
func replace(path string, data []byte) error {
	const owner = 0o600
	next := path + ".next"
	if err := os.WriteFile(next, data, owner); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func mapped(path string, size int) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the mapping lives on
	return unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// None is the place of a message that is not noted.
const None = -1

// Suspects is how many messages were in flight at a death, and were not finished since.
func (j *Journal) Suspects() int {
	if j == nil {
		return 0
	}
	return len(j.suspects)
}

// Deaths is at how many deaths the message was in flight.
func (j *Journal) Deaths(id ID) int {
	if j == nil {
		return 0
	}
	place, known := j.suspects[id]
	if !known {
		return 0
	}
	return int(binary.NativeEndian.Uint32(j.place(place)[deathsAt:]))
}

// Begin notes that a message is in flight and returns its place: None if all are taken.
func (j *Journal) Begin(id ID) int {
	if j == nil {
		return None
	}
	if len(j.suspects) > 0 {
		if place, known := j.suspects[id]; known && j.state(place).CompareAndSwap(suspect, inFlight) {
			return place
		}
	}
	if len(j.free) == 0 {
		return None
	}
	place := j.free[len(j.free)-1]
	j.free = j.free[:len(j.free)-1]
	entry := j.place(place)
	copy(entry, id[:])
	binary.NativeEndian.PutUint32(entry[deathsAt:], 0)
	j.state(place).Store(inFlight) // after what it speaks of
	return place
}

// End notes that a message is not in flight any more. One that is not finished stays a suspect if it was one.
func (j *Journal) End(place int, finished bool) {
	if j == nil || place == None {
		return
	}
	entry := j.place(place)
	if deaths := binary.NativeEndian.Uint32(entry[deathsAt:]); deaths > 0 {
		if !finished {
			j.state(place).Store(suspect)
			return
		}
		delete(j.suspects, ID(entry))
	}
	j.state(place).Store(free)
	j.free = append(j.free, place)
}

func (j *Journal) place(i int) []byte {
	from := (1 + i) * placeSize
	return j.memory[from : from+placeSize : from+placeSize]
}

func (j *Journal) state(i int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&j.place(i)[stateAt])) //nolint:gosec // 4 bytes, aligned: a mapping begins at a page, and stateAt is a multiple of 4
}
