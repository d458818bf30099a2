#!/usr/bin/env bash
# Builds finops twice: once to note which way its code goes over usage of our own making, then laid out for that (profile-guided
# optimisation). The result is about a tenth faster and does the same. It takes more than twice as long as an ordinary release build.
#
#   build-fastest.sh [--native] [--features FEATURES]
#
# With --native it uses all that this machine's processor can do, and runs on no older one.
# The program: target/fastest/release/finops.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

features=()
processor=
while [ $# -gt 0 ]; do
  case $1 in
    --native) processor=' -Ctarget-cpu=native'; shift ;;
    --features) features=(--features "${2:?--features needs a list}"); shift 2 ;;
    *) say "error: unknown argument \`$1\`"; say 'hint: scripts/build-fastest.sh [--native] [--features FEATURES]'; exit 2 ;;
  esac
done

need_rust
cap_jobs

# The tool that joins what was noted has to understand the compiler's form of it: the major version of LLVM is the same.
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
profdata() {
  local tool
  for tool in "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata "llvm-profdata-$llvm" llvm-profdata; do
    if "$tool" merge --version 2>/dev/null | grep -q "LLVM version $llvm\." || "$tool" --version 2>/dev/null | grep -q "LLVM version $llvm\."; then
      printf '%s\n' "$tool"
      return 0
    fi
  done
  return 1
}
if ! tool=$(profdata); then
  if command -v rustup >/dev/null && rustup component add llvm-tools >/dev/null 2>&1; then :; else install_missing "llvm-$llvm"; fi
  tool=$(profdata) || {
    say "error: no \`llvm-profdata\` of LLVM $llvm, which this compiler is made with"
    say 'hint: rustup component add llvm-tools'
    exit 3
  }
fi

folder=$PWD/target/fastest
rm -rf "$folder/noted" "$folder/training"
mkdir -p "$folder/noted" "$folder/training"
say 'building the program that notes its way'
RUSTFLAGS="${RUSTFLAGS:-}$processor -Cprofile-generate=$folder/noted" CARGO_TARGET_DIR=$folder/noting cargo build --release --locked --bin finops "${features[@]}" >&2

# The usage of the tour, so many times that starting up is a small part of it: every call with an identity of its own, times to the
# millisecond, as logs have them. Half of the copies are of users of their own, so that there are calls that nothing is added to.
many() {
  sed 's/\(T[0-9:]*\)Z"/\1.250Z"/' | awk -v copies="$1" '
    { lines[NR] = $0 }
    END {
      for (copy = 1; copy <= copies; copy++) for (n = 1; n <= NR; n++) {
        line = lines[n]
        sub(/"id": *"/, "&" copy "-", line)
        if (copy % 2) sub(/"user": *"/, "&" copy "-", line)
        print line
      }
    }'
}
say 'letting it work'
: >"$folder/training/finops.toml"
cat examples/tour/usage/*.jsonl | many 60 >"$folder/training/plain.jsonl"
find examples/tour/claude -name '*.jsonl' -exec cat {} + | many 3000 >"$folder/training/claude.jsonl"
noting=("$folder/noting/release/finops" --config "$folder/training/finops.toml" --format json)
for format in plain claude; do
  for _ in first again; do
    "${noting[@]}" --store "sqlite:$folder/training/$format.db" record "$folder/training/$format.jsonl" >/dev/null
  done
  for by in model day,team provider,user; do
    "${noting[@]}" --store "sqlite:$folder/training/$format.db" report --from 2000-01-01 --to 2100-01-01 --by "$by" >/dev/null
  done
done
"$tool" merge -o "$folder/noted.profdata" "$folder/noted"

say 'building the program'
# What was built for other notes looks the same to cargo.
rm -rf "$folder/release"
RUSTFLAGS="${RUSTFLAGS:-}$processor -Cprofile-use=$folder/noted.profdata" CARGO_TARGET_DIR=$folder cargo build --release --locked --bin finops "${features[@]}" >&2
rm -rf "$folder/noted" "$folder/training"
say "built \`target/fastest/release/finops\`"
