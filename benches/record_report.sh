#!/usr/bin/env bash
# Records DATA into a fresh ledger and prints the token totals of the report: one whole process run of each, for a benchmark.
#
#   record_report.sh FINOPS DATA
#
# DATA is a file, or a home folder with .claude/projects in it.
set -euo pipefail
[ $# = 2 ] || { sed -n '4,6p' "$0" >&2; exit 2; }
finops=$1 data=$2
[ -d "$data/.claude/projects" ] && data=$data/.claude/projects

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
store=sqlite:$fresh/ledger.db
# An empty configuration: the one of the current folder is not part of the measurement.
: >"$fresh/finops.toml"
flags=(--config "$fresh/finops.toml" --store "$store" --format json)

"$finops" "${flags[@]}" record "$data" >"$fresh/record.json"
"$finops" "${flags[@]}" report --from 2000-01-01 --to 2100-01-01 --by model >"$fresh/report.json"
# The total stands last, one key to a line.
awk '
  /"total": *{/ { inside = 1 }
  inside && match($0, /"(input_uncached|cache_read|cache_write_5m|cache_write_1h|output)_tokens": *[0-9]+/) {
    split(substr($0, RSTART, RLENGTH), pair, /_tokens": */)
    sums = sums (sums == "" ? "" : ", ") pair[1] "\": " pair[2]
  }
  END { print "{\"totals\": {" sums "}}" }
' "$fresh/report.json"
