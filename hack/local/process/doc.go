// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process runs the local cluster's long-lived programs, which outlive the command that starts them.
//
// # How it works
//
// A Spec says what to run and how to tell that it is ready. Group.Start runs the specs of one stage together and then waits
// for each of them; it is the only loop that starts anything. Every program gets a session of its own, a folder of its own as
// working directory, and two variables in its environment: the group it belongs to and its name.
//
// Those variables are the process table. There are no pid files: a pid file is written a moment too late, survives what
// it names, and then names a stranger. The environment exists from the first instant of a program, its children inherit
// it, and the kernel forgets it with the process. So what an interrupted command left is found exactly like what a
// finished one left.
//
// # Invariants
//
//   - A signal reaches only a process of this group: it is sent through a handle (pidfd) that is opened first and
//     checked afterwards, so a number that the kernel gave to someone else in between is never hit.
//   - Start is idempotent: what runs already is waited for, not started twice.
//
// # Limits
//
// Linux only; reading other users' environments needs root. A program that clears its children's environment hides them:
// containers do, which is why the sandbox keeps a second net (see package sandbox).
package process
