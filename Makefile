# Hubbub. `make run` serves it and `make test` proves it, both from nothing: they need
# Python 3.11 or newer with venv, and make a virtual environment in .venv/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup vendor test test-all matrix check format soak bench bench-nodes wheel lock clean services

PYTHON ?= python3
UV ?= uv
ARGS ?=

PY := .venv/bin/python
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check --require-hashes
# What the build of static/vendor/ writes last.
VENDOR := static/vendor/LICENSES.txt
SKIPPED := .cache/skipped
CODE := $(wildcard server tests bench static/vendor-src)

help:
	@echo 'make run       serve on http://127.0.0.1:8080 (ARGS="--port 9000" and the like)'
	@echo 'make test      lint, types, import contracts, all quick tests'
	@echo 'make test-all  make test, and the long ones: faults, kill loops, stock clients, the wheel'
	@echo 'make check     lint, types and import contracts only'
	@echo 'make format    rewrite the Python code in its one format'
	@echo 'make soak      hours of load, for people'
	@echo 'make bench     Hubbub beside other servers, in one table (ARGS="--quick": a minute);'
	@echo '               make bench-nodes: what Redis and PostgreSQL cost'
	@echo 'make wheel     build the wheel into dist/'
	@echo 'make lock      write requirements/*.lock anew (needs uv; UPGRADE=1 for newer ones)'
	@echo 'make clean     remove all that make has made, but not hubbub-data/'

# ------------------------------------------------------------------ set-up, once

$(PY):
	@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	  $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	    2>/dev/null || continue; \
	  echo "Making the virtual environment .venv/ ($$($$python --version))"; \
	  exec $$python -m venv --clear .venv; \
	done; \
	echo 'Hubbub needs Python 3.11 or newer, with venv.'; \
	echo 'Name it if it is not on PATH: make run PYTHON=/path/to/python'; \
	exit 1

.venv/.pip: requirements/pip.lock | $(PY)
	@$(PIP_INSTALL) -r $<
	@touch $@

.venv/.run: requirements/run.lock | .venv/.pip
	@echo 'Installing what the server needs (requirements/run.lock)'
	@$(PIP_INSTALL) -r $<
	@touch $@

.venv/.test: requirements/test.lock .venv/.run
	@echo 'Installing what the tests need (requirements/test.lock)'
	@$(PIP_INSTALL) -r $<
	@touch $@

# Prints what is missing and goes on where there is no registry: then no file comes to
# be, and the next make tries again.
$(VENDOR): static/package-lock.json $(wildcard static/vendor-src/*) | .venv/.run
	@echo 'Building the browser modules (static/package-lock.json)'
	@$(PY) static/vendor-src/build.py

vendor: $(VENDOR)
setup: .venv/.run $(VENDOR)

# ------------------------------------------------------------------ use

run: setup
	@exec $(PY) -m server serve $(ARGS)

soak: .venv/.test $(VENDOR)
	$(PY) -m pytest -m soak --timeout=0 $(ARGS)

# Makes its rivals below .cache/bench/; what cannot be had there is left out and named.
bench: .venv/.test $(VENDOR)
	@$(PY) -m bench $(ARGS)

# Needs Redis and PostgreSQL on the machine.
bench-nodes: .venv/.test $(VENDOR)
	@$(PY) -m bench.nodes $(ARGS)

# ------------------------------------------------------------------ gates and tests

check: .venv/.test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(filter bench,$(CODE)) server tests static/vendor-src/build.py
	.venv/bin/lint-imports --cache-dir .cache/import-linter

format: .venv/.test
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

# The browser tests wait a lot, so they run beside the others, and report after them.
# Those of several nodes look at deadlines under load, so they run alone, last.
# tests/machine.py writes down what this machine could not run; it is said last.
test test-all: check $(VENDOR)
	@mkdir -p .cache && rm -f $(SKIPPED)
	@echo 'Running the tests; those in the browser run beside them and report after them.'
	@$(PY) -m pytest -m 'browser and $(MARKED)' $(ARGS) >.cache/browser 2>&1 & browser=$$!; \
	$(PY) $(TRACED) -m pytest -m 'not browser and $(MARKED)' $(ARGS); others=$$?; \
	wait $$browser; code=$$?; cat .cache/browser; exit $$((others ? others : code))
	@$(if $(NODES),$(PY) -m pytest -m nodes $(ARGS))
	@$(if $(TRACED),$(PY) -m coverage report)
	@if [ -e $(SKIPPED) ]; then sort -u $(SKIPPED); else echo 'Skipped tests: none.'; fi

matrix: .venv/.test # writes what the gateways have shown into docs/reference/gateways.md
	$(PY) -m pytest tests/contracts/test_gateway*.py --gateway-matrix $(ARGS)

test-all: services
services:
	@bash .ci/install

test: MARKED = not long and not soak
test-all: MARKED = not soak and not nodes
test-all: NODES = 1
# Tracing takes as long again, so that coverage is asked for only here.
test-all: TRACED = -m coverage run

# ------------------------------------------------------------------ for those who publish

wheel: .venv/.test $(VENDOR)
	@test -e $(VENDOR) || { echo 'A wheel carries the browser modules.'; exit 1; }
	$(PY) -m build --wheel --no-isolation

COMPILE = UV_NO_CONFIG=1 $(UV) pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
  $(if $(UPGRADE),--upgrade)

EXTRAS = --extra postgres --extra redis

lock:
	$(COMPILE) pyproject.toml $(EXTRAS) --output-file requirements/run.lock
	$(COMPILE) pyproject.toml $(EXTRAS) --group dev --constraint requirements/run.lock \
	  --output-file requirements/test.lock
	$(COMPILE) --group node --output-file requirements/node.lock
	$(COMPILE) --group pip --output-file requirements/pip.lock
	cd static && npm install --package-lock-only

clean:
	rm -rf .venv .cache dist static/node_modules static/vendor
