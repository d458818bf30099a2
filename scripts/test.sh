#!/usr/bin/env bash
# Installs what the tests need, if it is missing, and runs every check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

need_rust
cap_jobs
command -v python3 >/dev/null || install_missing python3
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

# The emulators that stand for AWS in the tests, in a place of their own.
install_emulators() {
  local venv=target/emulators
  "$venv/bin/python" -c 'import importlib.metadata as m; assert m.version("moto").startswith("5.2.") and m.version("ministack")' \
    2>/dev/null && return 0
  python3 -c 'import ensurepip' 2>/dev/null || install_missing python3-venv
  python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check 'moto[server]==5.2.*' 'ministack==1.5.*' || {
    say 'error: could not install the emulators moto and ministack'
    say 'hint: without them the tests on AWS are left out; `cargo test --locked` runs the others'
    exit 3
  }
}
install_emulators

run cargo fmt --check
# One build for all tests: with AWS. The README's commands build without it.
run cargo clippy --all-targets --locked --features aws -- -D warnings
run cargo test --locked --features aws
run ./scripts/terraform.sh
