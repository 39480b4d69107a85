# Portiere's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installed files are compiled once, here, rather than at each start of each process.
UV := $(BIN)/python -m uv --quiet
# Ansible forks; without this macOS ends the forks of a Mac that is the controller.
export OBJC_DISABLE_INITIALIZE_FORK_SAFETY := YES
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: install
install: $(VENV)/installed ## Set up the Python environment in .venv

$(VENV)/installed: requirements/dev.lock requirements/uv.lock pyproject.toml
	@echo "Setting up the Python environment (.venv) …"
	$(PYTHON) -m venv $(VENV) || { echo "The module venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.lock
	$(UV) pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.lock requirements/uv.lock
	$(UV) pip install --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: packages
packages: ## Install the Debian packages that tests and rehearsal need (root)
	@tests/packages.sh

.PHONY: check
check: install ## Lint, types and unit tests (under a minute)
	@tests/check.sh

.PHONY: test
test: install packages ## Everything: check, integration, browser, rehearsal hosts, benchmarks
	@tests/all.sh

.PHONY: demo
demo: install ## The app on this machine, with a guest's phone in the browser (no root)
	@$(BIN)/portiere demo

.PHONY: rehearse
rehearse: install packages ## Make the hosts, deploy to them, send a guest's conversations through
	@$(BIN)/python -m tests.rehearsal.rehearse

CUTS ?= 20
.PHONY: failover-drill
failover-drill: install ## Cut the Mac's power CUTS=20 times while guests talk (after `make rehearse`)
	@$(BIN)/python -m tests.rehearsal.drill --cuts $(CUTS)

KILLS ?= 20
.PHONY: restore-drill
restore-drill: install ## Take all data from the Mac KILLS=20 times and restore them (after `make rehearse`)
	@$(BIN)/python -m tests.rehearsal.restore_drill --kills $(KILLS)

.PHONY: failover-scenarios
failover-scenarios: install ## Break everything else, one thing at a time (after `make rehearse`)
	@$(BIN)/pytest -v tests/rehearsal/scenarios

.PHONY: down
down: ## End the rehearsal hosts
	@tests/rehearsal/ctl down

.PHONY: bench
bench: install packages ## Measure accepts a second, webhook to send, the cloud layer
	@$(BIN)/python -m tests.bench.accepts
	@$(BIN)/python -m tests.bench.latency
	@$(BIN)/python -m tests.bench.cloud_queue

.PHONY: brain
brain: install ## Teach the brain its examples anew (app/conversation/examples)
	@$(BIN)/python -m app.conversation.training

.PHONY: evaluate
evaluate: install ## Measure the brain on messages it never saw; exit 1 while a goal is missed
	@$(BIN)/python -m tests.evaluation

.PHONY: lock
lock: install ## Resolve the locks anew from pyproject.toml
	$(UV) pip compile --universal --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra cloud --extra s3 pyproject.toml -o requirements/runtime.lock
	$(UV) pip compile --universal --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -c requirements/runtime.lock -o requirements/dev.lock
