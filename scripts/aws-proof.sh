#!/usr/bin/env bash
# Sixty simulated days of the job on AWS, against an emulator: daily runs with faults in between and a hundred processes killed.
# Shows that totals equal the seed to the cent, every alert is told once, and paid requests stay below their cap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

need_rust
cap_jobs
install_emulators
export FINOPS_DAYS=${FINOPS_DAYS:-60} FINOPS_KILLS=${FINOPS_KILLS:-100}
run cargo test --locked --features aws --test it -- aws::sixty_days --nocapture
