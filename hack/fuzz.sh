#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 60s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rlE '^func Fuzz[A-Za-z]+\(' --include='*_test.go' . | while read -r file; do
  for target in $(grep -oE '^func Fuzz[A-Za-z]+' "$file" | cut -d' ' -f2); do
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-60s}" "$(dirname "$file")"
  done
done
