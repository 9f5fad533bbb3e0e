// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package part obtains the programs that make up a Kubernetes from the Go module proxy: nothing else has to be in reach,
// no container registry and no release page.
//
// # How it works
//
// A Part is a tool module below hack/ (a go.mod and a go.sum with `tool` lines, so that a build is the same on every
// machine) and the binaries that come out of it. Store.Obtain builds the binaries that are missing and returns the folder
// that holds them: <user's cache>/orderflow/<part>-<version>-<digest>, where the digest covers the module files, the
// flags and the platform. A fresh clone therefore builds nothing again, and a changed dependency never meets an old binary.
//
// # Invariants
//
//   - A binary appears in its folder complete or not at all: it is linked beside it and renamed.
//   - One process builds a part at a time: a file lock makes the others wait and then find the result.
//   - A build says what it does when it begins, every 15 s, and when it ends.
//
// # Limits
//
// Old folders are never removed; they are a cache, and `rm -r` is safe while nothing runs from them.
package part
