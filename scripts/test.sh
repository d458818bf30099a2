#!/usr/bin/env bash
# Installs what the tests need, if it is missing, and runs every check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

need_rust
cap_jobs
command -v python3 >/dev/null || install_missing python3
cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

install_emulators

run cargo fmt --check
# One build for all tests: with AWS and Parquet. The README's commands build without it, which is linted and has a few tests of its own.
run cargo clippy --all-targets --locked -- -D warnings
run cargo clippy --all-targets --locked --features aws,parquet -- -D warnings
run cargo test --locked --features aws,parquet
run cargo test --locked --test it -- settings:: files::parquet
run ./scripts/terraform.sh
