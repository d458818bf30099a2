# Shared by the scripts beside it; sourced, not run.

say() { printf '%s\n' "$*" >&2; }

# Prints a command the way one would type it, then runs it.
run() {
  printf '$ %s\n' "$*"
  "$@"
}

# Takes packages from the system's package manager, only when something is missing.
install_missing() {
  command -v apt-get >/dev/null || { say "error: please install: $*"; exit 3; }
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@" >/dev/null || {
    say "error: could not install: $*"
    exit 3
  }
}

# The compiler and a linker with a C compiler (SQLite is built from its C source).
need_rust() {
  if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  fi
  command -v cargo >/dev/null || {
    say 'error: `cargo` is not installed'
    say 'hint: install Rust with rustup, then run this again'
    exit 3
  }
  command -v cc >/dev/null || install_missing gcc libc6-dev
}

# One compiler process takes up to 1 GB here: with little memory, fewer at a time.
cap_jobs() {
  [ -n "${CARGO_BUILD_JOBS:-}" ] && return 0
  [ -r /proc/meminfo ] || return 0
  local kib jobs cores
  kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  [ -n "$kib" ] && [ "$kib" -lt 4194304 ] || return 0
  jobs=$((kib / 1048576))
  cores=$(getconf _NPROCESSORS_ONLN)
  [ "$jobs" -gt "$cores" ] && jobs=$cores
  [ "$jobs" -lt 1 ] && jobs=1
  export CARGO_BUILD_JOBS=$jobs
}

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
