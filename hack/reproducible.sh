#!/usr/bin/env bash
# Fails if the product's programs depend on where they are built: builds them from two copies of the tree in folders of different names, and compares.
# Only what the folder's name gets into is compiled anew: -trimpath keeps it out, so that the second build finds all packages in the cache, and
# links again. ANEW=1 compiles everything twice.
set -euo pipefail
cd "$(dirname "$0")/.."
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT
for copy in one another/place; do
  mkdir -p "$copies/$copy"
  git ls-files -z | tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$copies/$copy"
  if [ -n "${ANEW:-}" ]; then export GOCACHE="$copies/cache-${copy%%/*}"; fi
  make --no-print-directory -s -C "$copies/$copy" build PROGRAMS="./cmd/manager ./cmd/worker"
done
(cd "$copies/one/bin" && sha256sum manager worker) | tee "$copies/sums"
(cd "$copies/another/place/bin" && sha256sum --quiet --check "$copies/sums") || {
  echo "the same source made other programs in another folder: look for a path or a time with 'go version -m' and 'strings'" >&2
  exit 1
}
