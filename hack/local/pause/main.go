// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause does nothing until it is asked to end: it is the first process of every pod, whose namespaces live as long
// as it does, and of the local cluster's sandbox. As the first process it also inherits orphans, and buries them.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		bury()
	}
}

// bury collects every child that has ended: one SIGCHLD may stand for many.
func bury() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}
