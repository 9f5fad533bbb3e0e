// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command evidence computes all measured figures again from their samples and prints them beside their goals.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/orderflow-dev/orderflow/test/evidence"
)

func main() {
	dir := flag.String("dir", "out", "folder of the evidence files")
	strict := flag.Bool("strict", false, "fail when a goal is not met")
	flag.Parse()
	met, err := run(*dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "evidence:", err)
		os.Exit(1)
	}
	if *strict && !met {
		os.Exit(1)
	}
}

func run(dir string) (met bool, err error) {
	files, err := evidence.Read(dir)
	if err != nil {
		return false, err
	}
	if len(files) == 0 {
		return false, fmt.Errorf("nothing was measured yet: no *.json in %s; run a target that measures, such as make demo", dir)
	}
	return evidence.Table(os.Stdout, files)
}
