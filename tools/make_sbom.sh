#!/usr/bin/env bash
# Writes dist/rowferry.cdx.json: a CycloneDX bill of the packages of requirements.lock, validated.
#
# The tool for it has many packages of its own, which nobody else needs: it runs in an environment in a
# temporary folder, made from tools/sbom.lock. PYTHON: an interpreter with pip.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(realpath -s "${PYTHON:-.venv/bin/python}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv --without-pip "$folder/venv"
"$python" -m pip --disable-pip-version-check -qq --python "$folder/venv/bin/python" \
  install --require-hashes -r tools/sbom.lock
mkdir -p dist
"$folder/venv/bin/python" -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
  --mc-type application --spec-version 1.6 --output-format JSON --output-reproducible \
  --output-file dist/rowferry.cdx.json
"$folder/venv/bin/python" - <<'PYTHON'
import json
import re
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

bill = json.loads(Path("dist/rowferry.cdx.json").read_text())
found = {f"{c['name']}=={c['version']}" for c in bill["components"]}
locked = set(re.findall(r"^([\w.\[\]-]+==[^\s;\\]+)", Path("requirements.lock").read_text(), re.MULTILINE))
plain = {re.sub(r"\[.*\]", "", name) for name in locked}
if found != plain:
    raise SystemExit(f"the bill and the lock differ: {sorted(found ^ plain)}")
for component in bill["components"]:  # where a package was fetched from is a matter of the machine
    references = component.pop("externalReferences", [])
    component["hashes"] = [h for reference in references for h in reference.get("hashes", [])]
text = json.dumps(bill, indent=2) + "\n"
if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
    raise SystemExit(f"not valid: {error}")
Path("dist/rowferry.cdx.json").write_text(text)
print(f"dist/rowferry.cdx.json: {len(found)} packages")
PYTHON
