// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo plays the demo of package demo on the local cluster. `make demo` brings everything up first.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/orderflow-dev/orderflow/test/demo"
)

func main() {
	out := flag.String("out", "out", "folder of the evidence files")
	bench := flag.Bool("bench", false, "measure ratios over shuffled rounds instead of playing the demo")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	options := demo.Options{Namespace: "demo", Out: *out, Screen: os.Stdout, Terminal: term.IsTerminal(int(os.Stdout.Fd())), Command: "make demo"}
	play := demo.Run
	if *bench {
		options.Command = "make bench-demo"
		play = demo.Bench
	}
	if err := play(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
