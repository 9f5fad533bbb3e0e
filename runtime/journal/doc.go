// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package journal remembers which messages a process had in flight, beyond its death: so that its next life can tell which of them killed it.
//
//	free ──Begin──▶ in flight ──End, finished──▶ free
//	                    │  ▲
//	        the process │  │ Begin
//	               died ▼  │
//	                 suspect ──(in flight again when it died: one death more)
//
// A suspect was in flight at one death or more. Who reads the journal runs suspects alone, so that the next death has one suspect only; at Deadly deaths a
// message is not run any more. A message may be in flight twice, as a copy that a broker made without our knowing: it is one suspect, with the more deaths.
//
// The journal is a file of fixed size that is mapped into memory, with a place of its own for each message that can be in flight. Noting one is a copy of
// some bytes, without a system call. What was written is in the kernel's page cache, which outlives the process however it ends: SIGKILL, the OOM killer, a
// runtime that gives up. It does not outlive the machine, and need not: then the pod is gone. On a disk, the kernel's writing back may hold up who writes to a page; a
// pod's journal lies in memory (an emptyDir of medium Memory), where nothing is written back.
package journal
