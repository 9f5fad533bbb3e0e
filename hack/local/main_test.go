// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"testing"
)

func TestUnknownCommandLinesAskForTheUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no verb":                   nil,
		"an unknown verb":           {"upp"},
		"a verb that takes nothing": {"down", "now"},
		"an image that is loaded":   {"image", "load"},
		"exec of nothing":           {"exec", "-with", ""},
		"exec with an unknown flag": {"exec", "-without", "x", "--", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := dispatch(t.Context(), args, io.Discard, io.Discard); !errors.Is(err, errUsage) {
				t.Errorf("error %v, want the usage", err)
			}
		})
	}
}

func TestExecPassesOnHowTheCommandEnded(t *testing.T) {
	err := dispatch(t.Context(), []string{"exec", "--", "sh", "-c", "exit 7"}, io.Discard, io.Discard)
	var ended commandError
	if !errors.As(err, &ended) || ended.code != 7 {
		t.Errorf("error %v, want the command's code 7", err)
	}
	if err := dispatch(t.Context(), []string{"exec", "--", "true"}, io.Discard, io.Discard); err != nil {
		t.Errorf("a command that succeeded: %v", err)
	}
	if err := dispatch(t.Context(), []string{"exec", "--", "/nonexistent"}, io.Discard, io.Discard); err == nil || errors.As(err, &ended) {
		t.Errorf("error %v of a command that is not there, want one that says so", err)
	}
}

func TestExecSaysWhatItCanGoWith(t *testing.T) {
	err := dispatch(t.Context(), []string{"exec", "-with", "kafka", "--", "true"}, io.Discard, io.Discard)
	if err == nil || errors.Is(err, errUsage) {
		t.Errorf("error %v, want a sentence about kafka", err)
	}
}
