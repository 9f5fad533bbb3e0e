// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import "sync"

// lines keep the messages of each order key apart in time: one is on its way, the others wait for its answer. Two on their
// way at once could change places, in the library, which writes each from a goroutine of its own, and in the broker, which
// stores with several threads.
type lines struct {
	mu sync.Mutex
	of map[string][]*pending // by order key; the first is on its way
}

func newLines() *lines { return &lines{of: map[string][]*pending{}} }

// join puts p at the end of its line; true if it is the first, whose turn it is.
func (l *lines) join(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[p.orderKey] = append(l.of[p.orderKey], p)
	return len(l.of[p.orderKey]) == 1
}

// leave takes p, which has ended, out of its line. When it was stored, next is whose turn it is now. Otherwise behind are
// those that must not overtake it; they are out of the line too.
func (l *lines) leave(p *pending, stored bool) (next *pending, behind []*pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.of[p.orderKey]
	for i := range line {
		if line[i] != p {
			continue
		}
		if stored { // so it was the first
			line[0] = nil
			line = line[1:]
		} else {
			behind = line[i+1:]
			line = line[:i:i]
		}
		if stored && len(line) > 0 {
			next = line[0]
		}
		break
	}
	if len(line) == 0 {
		delete(l.of, p.orderKey)
	} else {
		l.of[p.orderKey] = line
	}
	return next, behind
}
