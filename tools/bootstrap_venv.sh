#!/usr/bin/env bash
# Makes .venv: the packages of requirements-dev.lock, by their hashes, and this project, editable.
#
# Needs Python 3.11 or later, and neither root nor the distribution's python3-venv: where venv cannot make
# pip, pip comes from the distribution's package of it, unpacked into a temporary folder.
# PYTHON=/path/to/python chooses an interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv

say() { printf 'venv: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# The ones that the lock file was made for, newest first, then whatever python3 is.
candidates=(python3.14 python3.13 python3.12 python3.11 python3)

is_usable() { "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local name
  if [ -n "${PYTHON:-}" ]; then
    is_usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of 3.11 or later"
    echo "$PYTHON"
    return
  fi
  for name in "${candidates[@]}"; do
    if is_usable "$name"; then
      command -v "$name"
      return
    fi
  done
  fail "no Python of 3.11 or later was found; install one (on Debian or Ubuntu: apt install python3), or name it: make venv PYTHON=/path/to/python3"
}

# Runs apt-get on a state of our own, for a machine whose package lists were never fetched.
private_apt() {
  local state=$1
  shift
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  touch "$state/status"
  apt-get -qq -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" "$@"
}

fetch_pip_package() {
  local folder=$1
  command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    fail "this Python has no ensurepip, and the machine no apt-get to get pip with; install the venv module of your Python"
  say "this Python has no ensurepip: taking pip from the distribution's package of it"
  (
    cd "$folder"
    apt-get -qq download python3-pip-whl 2>/dev/null ||
      { private_apt "$folder/apt" update && private_apt "$folder/apt" download python3-pip-whl; }
  ) || fail "the package python3-pip-whl could not be fetched; install python3-venv instead"
  dpkg -x "$folder"/python3-pip-whl_*.deb "$folder/root"
}

# Puts pip into a virtual environment that was made without it.
add_pip() {
  local folder wheel
  folder=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name now, not at the end
  trap "rm -rf '$folder'" EXIT
  wheel=$(compgen -G '/usr/share/python-wheels/pip-*.whl' | tail -n 1 || true)
  if [ -z "$wheel" ]; then
    fetch_pip_package "$folder"
    wheel=$(compgen -G "$folder/root/usr/share/python-wheels/pip-*.whl" | tail -n 1)
  fi
  "$venv/bin/python" "$wheel/pip" install --quiet --no-index --no-deps "$wheel"
}

make_venv() {
  local python
  python=$(find_python)
  say "making $venv with $("$python" --version)"
  rm -rf "$venv"
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$venv"
  else
    "$python" -m venv --without-pip "$venv"
  fi
}

# The laboratory, the tests and the benchmarks are no part of the package, but of every developer's path.
add_source_folders() {
  local site
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$PWD/lab" "$PWD" >"$site/rowferry-sources.pth"
}

is_usable "$venv/bin/python" || make_venv
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || add_pip
say "installing the packages of requirements-dev.lock"
pip=("$venv/bin/python" -m pip --disable-pip-version-check -qq)
"${pip[@]}" install --require-hashes --no-deps -r requirements-dev.lock
"${pip[@]}" install --no-deps --no-build-isolation --editable .
"${pip[@]}" check
add_source_folders
