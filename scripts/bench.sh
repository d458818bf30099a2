#!/usr/bin/env bash
# Whole-process benchmark on N generated Claude Code calls (default 1,000,000), beside ccusage, tokscale and DuckDB.
#
#   bench.sh [N]
#
# Data, peers and ledgers go below target/bench. Figures go to standard output: see docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

calls=${1:-1000000}
case $calls in '' | *[!0-9]*) say "error: \`$calls\` is not a number of calls"; exit 2 ;; esac
generator=../shared/bench/gen_usage.py peers=../shared/bench/peers.sh
if [ ! -f "$generator" ]; then
  say "error: the usage generator is not at \`$generator\`"
  say 'hint: it is not part of this repository; see docs/benchmarks.md'
  exit 3
fi

need_rust
cap_jobs
command -v python3 >/dev/null || install_missing python3
cargo build --release --locked --bin finops >&2
finops=${CARGO_TARGET_DIR:-$PWD/target}/release/finops
bench=$PWD/target/bench
data=$bench/claude-$calls
mkdir -p "$bench"
if [ ! -f "$data.expected.json" ]; then
  rm -rf "$data"
  say "generating $calls calls"
  python3 "$generator" claude "$calls" "$data" >&2
fi

if [ -f "$peers" ]; then
  bash "$peers" -p ccusage,tokscale,duckdb "$bench/peers" "$data" -- "$PWD/benches/record_report.sh" "$finops" '{}'
else
  say 'the runner of the peers is absent: ours alone'
fi

# The second run: everything is recorded, nothing is new.
fresh=$(mktemp -d "$bench/second.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
: >"$fresh/finops.toml"
python3 - "$finops" --config "$fresh/finops.toml" --store "sqlite:$fresh/ledger.db" --format json record "$data/.claude/projects" <<'PY'
import json
import os
import statistics
import subprocess
import sys
import time


def once(command):
    """Wall and CPU seconds and peak memory in MiB of one process (the peak is the child's own, by wait4)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"`{' '.join(command)}` failed")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, answer.decode()


def tell(answer):
    keys = ("files", "lines", "events", "recorded", "duplicates", "unpriced", "rejected", "cost_usd")
    answer = json.loads(answer)
    print("               " + ", ".join(f"{key} {answer[key]}" for key in keys))


command = sys.argv[1:]
wall, cpu, peak, answer = once(command)
print(f"first record:  {wall:.2f} s wall, {cpu:.2f} s CPU, {peak:.0f} MiB peak")
tell(answer)
again = [once(command) for _ in range(11)]
wall = statistics.median(run[0] for run in again) * 1000
cpu = statistics.median(run[1] for run in again) * 1000
print(f"nothing new:   {wall:.0f} ms wall, {cpu:.0f} ms CPU, {max(run[2] for run in again):.0f} MiB peak (median of {len(again)})")
tell(again[-1][3])
PY
