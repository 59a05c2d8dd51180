# The only front door. Each target installs what it needs; `make` alone lists them.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/installed
PACKAGES := model-constructor offline-trainer-core offline-trainer-torch example-plugin
MANIFESTS := $(PACKAGES:%=packages/%/pyproject.toml)
PEERS   := .bench/installed
PEERS_OF_LOOP := .bench-peers
RELIABILITY := .bench-reliability
FUZZ_MINUTES ?= 60
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install run test test-full reliability reliability-peers check format bench bench-peers \
  accuracies fuzz test-isolated clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(STAMP)  ## make .venv and install all packages into it, editable

$(STAMP): $(MANIFESTS) constraints.txt requirements-dev.txt Makefile
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --requirement requirements-dev.txt \
	  --editable 'packages/model-constructor[torch]' \
	  --editable packages/offline-trainer-core \
	  --editable packages/offline-trainer-torch \
	  --editable packages/example-plugin
	@touch $@

# One thread for each process: more would wait for each other's cores.
run test test-full: export OMP_NUM_THREADS := 1

run: $(STAMP)  ## train a classifier of handwritten digits
	@$(BIN)/ot run configs/experiments/digits.yaml

test: $(STAMP)  ## run all tests
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal --quiet

test-full: $(STAMP)  ## run all tests, and the campaigns at full length
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal --quiet --full

reliability: $(STAMP)  ## run the campaigns, a line for each; ROWS= SEED=0 CASE= TIER=commit
	@PYTHONPATH=tests:packages/offline-trainer-core/tests $(BIN)/python -m reliability --rows "$(ROWS)" --seed $(or $(SEED),0) \
	  --tier $(or $(TIER),commit) $(if $(CASE),--case $(CASE))

check: $(STAMP)  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) $(PEERS)  ## measure what is claimed about speed, into benchmarks/results.md
	@$(BIN)/python -m benchmarks

accuracies: $(STAMP)  ## measure what the shipped experiments reach, for ten minutes
	@$(BIN)/python -m benchmarks accuracies ngrams

$(PEERS): benchmarks/requirements-peers.txt packages/model-constructor/pyproject.toml
	@test -x .bench/bin/python || $(PYTHON) -m venv .bench
	@.bench/bin/python -m pip --disable-pip-version-check --quiet install \
	  --constraint constraints.txt --requirement $< --editable packages/model-constructor
	@touch $@

bench-peers: $(STAMP) $(PEERS_OF_LOOP)/installed  ## measure other frameworks' loops beside the bare torch loop
	@$(BIN)/python -m benchmarks peers

$(PEERS_OF_LOOP)/installed: benchmarks/peers/requirements.txt constraints.txt $(MANIFESTS)
	@test -x $(PEERS_OF_LOOP)/bin/python || $(PYTHON) -m venv $(PEERS_OF_LOOP)
	@$(PEERS_OF_LOOP)/bin/python -m pip --disable-pip-version-check --quiet install \
	  --constraint constraints.txt --requirement $< \
	  --editable 'packages/model-constructor[torch]' \
	  --editable packages/offline-trainer-core \
	  --editable packages/offline-trainer-torch
	@touch $@

reliability-peers: $(RELIABILITY)/installed  ## count what kills, full disks and damage do to five frameworks
	nice $(RELIABILITY)/bin/python -m benchmarks.reliability

$(RELIABILITY)/installed: benchmarks/reliability/requirements.txt constraints.txt $(MANIFESTS)
	@test -x $(RELIABILITY)/bin/python || $(PYTHON) -m venv $(RELIABILITY)
	@$(RELIABILITY)/bin/python -m pip --disable-pip-version-check --quiet install \
	  --constraint constraints.txt --requirement $< \
	  --editable 'packages/model-constructor[torch]' \
	  --editable packages/offline-trainer-core \
	  --editable packages/offline-trainer-torch
	@touch $@

fuzz: $(STAMP)  ## search for inputs that crash the resolver or `ot check`, FUZZ_MINUTES=60
	$(BIN)/python tests/fuzz.py $(FUZZ_MINUTES)

test-isolated: $(STAMP)  ## build wheels; test each package in an environment of its own
	PYTHON=$(BIN)/python bash tests/isolated.sh $(PACKAGES)

clean:  ## remove everything that can be made again; runs/ stays
	rm -rf $(VENV) .bench $(PEERS_OF_LOOP) $(RELIABILITY) .isolated dist packages/*/dist .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache
	find packages tests -name __pycache__ -type d -prune -exec rm -rf {} +
