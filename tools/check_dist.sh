#!/usr/bin/env bash
# Installs dist/*.whl and the packages of requirements.lock, by their hashes, into an empty environment in a
# temporary folder, and runs the command there. PYTHON: an interpreter with pip.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(realpath -s "${PYTHON:-.venv/bin/python}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv --without-pip "$folder/venv"
pip=("$python" -m pip --disable-pip-version-check -qq --python "$folder/venv/bin/python")
"${pip[@]}" install --require-hashes -r requirements.lock
"${pip[@]}" install --no-index --no-deps dist/rowferry-*.whl
"${pip[@]}" check

cd "$folder"
"$folder/venv/bin/rowferry" --version
for command in run check status schema resync verify config "quarantine list"; do
  # shellcheck disable=SC2086 # two words
  "$folder/venv/bin/rowferry" $command --help >/dev/null
done
ROWFERRY_SOURCE__URL=mysql://nobody@127.0.0.1:1/none ROWFERRY_DESTINATION__URL=postgresql://nobody@127.0.0.1:1/none \
  "$folder/venv/bin/rowferry" check 2>error && exit 1 || code=$?
[ "$code" = 69 ] || { cat error; exit 1; }
"$folder/venv/bin/python" -c 'import rowferry.load, rowferry.pipeline'
test -s venv/share/man/man1/rowferry.1
test -s venv/share/bash-completion/completions/rowferry
echo "the wheel works in an empty environment"
