#!/usr/bin/env bash
# Writes the output of the tour into README.md, between its markers. With --check: only says whether it is current.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tour=$(mktemp) readme=$(mktemp)
trap 'rm -f "$tour" "$readme"' EXIT
NO_COLOR=1 COLUMNS=100 LC_ALL=C.UTF-8 ./scripts/tour.sh >"$tour"
awk -v tour="$tour" '
  /^<!-- tour:end -->$/ { inside = 0 }
  !inside { print }
  /^<!-- tour:begin / {
    inside = 1
    print "```text"
    while ((getline line < tour) > 0) print line
    print "```"
  }
' README.md >"$readme"
if [ "${1:-}" = --check ]; then
  diff -u README.md "$readme" || { echo 'README.md is not current: run scripts/readme-output.sh' >&2; exit 1; }
else
  cat "$readme" >README.md
fi
