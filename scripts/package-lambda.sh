#!/usr/bin/env bash
# Packages the function finops-monitor for AWS Lambda (provided.al2023): target/lambda/finops-monitor-ARCH.zip, stripped, with its size.
# usage: scripts/package-lambda.sh [--settings FOLDER] [arm64|x86_64]...
#   --settings FOLDER   puts its finops.toml and policies/ beside the program, where terraform's module expects them
# The same input gives the same zip, so that terraform sees a change only where there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

settings=
arches=()
while [ $# -gt 0 ]; do
  case $1 in
    --settings) settings=${2:?--settings needs a folder}; shift 2 ;;
    arm64 | x86_64) arches+=("$1"); shift ;;
    *) say "error: unknown argument \`$1\`"; say 'hint: scripts/package-lambda.sh [--settings FOLDER] [arm64|x86_64]...'; exit 2 ;;
  esac
done
[ ${#arches[@]} -gt 0 ] || arches=(arm64 x86_64)
if [ -n "$settings" ] && [ ! -f "$settings/finops.toml" ]; then
  say "error: \`$settings\` has no finops.toml"
  exit 2
fi

need_rust
cap_jobs

# cargo-lambda builds, zig links against the C library of Amazon Linux 2023: neither needs anything of the system.
venv=target/packager
if ! "$venv/bin/python" -c 'import importlib.metadata as m; assert m.version("cargo-lambda") and m.version("ziglang")' 2>/dev/null; then
  python3 -c 'import ensurepip' 2>/dev/null || install_missing python3-venv
  python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check 'cargo-lambda==1.9.*' 'ziglang==0.17.*' || {
    say 'error: could not install cargo-lambda and zig'
    exit 3
  }
fi
PATH="$PWD/$venv/bin:$PATH"

for arch in "${arches[@]}"; do
  target=x86_64-unknown-linux-gnu
  [ "$arch" = arm64 ] && target=aarch64-unknown-linux-gnu
  # The standard library of the target: rustup brings it, so does a distribution's compiler.
  if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
    rustup target add "$target" || {
      say "error: the compiler has no standard library for \`$target\`"
      say "hint: \`rustup target add $target\`, where rustup may download"
      exit 3
    }
  fi
  # The profile is ours: without the option cargo-lambda would replace it by its own.
  run cargo lambda build --release --locked --disable-optimizations --skip-target-check --features aws --bin finops-monitor \
    --target "$target.2.34" --lambda-dir "target/lambda/$arch"
  python3 - "$arch" "$settings" <<'PY'
import os, sys, zipfile

arch, settings = sys.argv[1:]
program = f"target/lambda/{arch}/finops-monitor/bootstrap"
out = f"target/lambda/finops-monitor-{arch}.zip"
files = [("bootstrap", program, 0o755)]
if settings:
    files.append(("finops.toml", os.path.join(settings, "finops.toml"), 0o644))
    for folder, folders, names in os.walk(os.path.join(settings, "policies")):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            files.append((os.path.relpath(path, settings), path, 0o644))
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name, path, mode in files:
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.external_attr, entry.compress_type, entry.create_system = (0o100000 | mode) << 16, zipfile.ZIP_DEFLATED, 3
        with open(path, "rb") as file:
            archive.writestr(entry, file.read(), compresslevel=9)
size = lambda path: f"{os.path.getsize(path) / 1e6:.1f} MB"
print(f"{out}: {size(out)}, bootstrap {size(program)}, {len(files)} files")
PY
done
