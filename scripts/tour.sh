#!/usr/bin/env bash
# Builds finops and runs the main job over examples/tour: two months of made-up usage of three teams.
# Everything it writes is below target/tour. Only the build's progress goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

need_rust
cap_jobs
cargo build --profile quick --locked --bin finops >&2
PATH="${CARGO_TARGET_DIR:-$PWD/target}/quick:$PATH"

rm -rf target/tour
mkdir -p target/tour
store=(--store sqlite:../../target/tour/ledger.db)
evening=(--now 2026-11-23T18:00:00Z) noon=(--now 2026-11-24T12:00:00Z)

# Its finops.toml lies there.
run cd examples/tour
echo
# The evening before: one forecast is seen for the first time. It is told when the next run sees it again.
run finops "${store[@]}" "${evening[@]}" run
for command in run budget 'report --by team,model'; do
  echo
  # shellcheck disable=SC2086 # words on purpose
  run finops "${store[@]}" "${noon[@]}" $command
done
