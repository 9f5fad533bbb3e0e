#!/usr/bin/env bash
# Fails if a generated file, go.mod or go.sum is not what its source makes of it, or the README shows another sample than there is.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$copy"
(
  cd "$copy"
  make --no-print-directory generate
  go mod tidy
)
stale=0
for path in api config go.mod go.sum; do
  diff -ru "$path" "$copy/$path" || stale=1
done
if [ "$stale" -ne 0 ]; then
  echo "generated files are stale: run 'make generate' and 'go mod tidy', and commit what they change" >&2
  exit 1
fi
if ! awk '/^```yaml$/ {shown = 1; next} /^```$/ {shown = 0} shown' README.md | diff -u - config/samples/order-paid/flow.yaml; then
  echo "README.md shows another flow than config/samples/order-paid/flow.yaml" >&2
  exit 1
fi
