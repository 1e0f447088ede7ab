# The commands of a developer. `make help` names them.

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint bench lock generate dist distcheck sbom clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
SOURCES := $(wildcard daemon lab tests benchmarks)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make or update .venv, from the lock file (PYTHON=... chooses an interpreter)

$(STAMP): requirements-dev.lock pyproject.toml tools/bootstrap_venv.sh
	PYTHON="$(PYTHON)" tools/bootstrap_venv.sh
	@touch $@

demo: $(STAMP) ## Show it at work on real servers (KEEP=1 leaves them running until Ctrl-C)
	$(BIN)/python -m rowferry_lab.demo $(if $(KEEP),--keep)

test: lint ## Run all checks and tests, on real servers
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests

lint: $(STAMP) ## Check style, format and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy --strict $(SOURCES)

bench: $(STAMP) ## Measure it against what else there is
	$(BIN)/python -m benchmarks

lock: $(STAMP) ## Renew the lock files from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE) tools/sbom.in --output-file tools/sbom.lock

generate: $(STAMP) ## Make the completions and the manual page anew from the command line
	PYTHONPATH=.:daemon $(BIN)/python tools/command_line_files.py

dist: $(STAMP) ## Build the wheel, into dist
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist .

distcheck: dist ## Install the wheel and its locked packages into an empty environment, and run it
	PYTHON="$(BIN)/python" tools/check_dist.sh

sbom: $(STAMP) ## Write the software bill of materials of requirements.lock, into dist
	PYTHON="$(BIN)/python" tools/make_sbom.sh

clean: ## Remove caches and build results (not .venv)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis daemon/*.egg-info
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
