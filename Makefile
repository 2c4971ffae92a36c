# `make` alone lists the targets. A fresh machine needs make and Python 3.11 or newer, nothing else.
PYTHON  ?= python3
ARGS    ?=
WORKERS ?= 4
PROFILE ?= full
BIN     := .venv/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check -q
UV      := 0.13.9
AUDIT   := 2.10.1
SERVICE := $(PYTHON) -m deploy.services
COMPOSE := docker compose --profile $(PROFILE)

# mypy goes by content, so that a second clone need not check the libraries again.
export MYPY_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice/mypy

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check test-long bench services services-stop up down lock audit clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.run ## the gateway on PORT (8080) with all that it needs, on this machine
	@exec $(BIN)/sluice serve $(ARGS)

test: .venv/.dev ## lint, types, then every test against real services (ARGS="-k broker" chooses)
	@$(SERVICE) run -- sh -c '$(MAKE) check; checked=$$?; $(BIN)/python -m pytest -m "not long" $(PARALLEL) "$$@"; \
		tested=$$?; [ $$tested -ne 1 ] || { echo "What failed beside others runs once more, alone:"; \
		$(BIN)/python -m pytest -m "not long" --last-failed --lfnf none --maxfail 5 "$$@"; tested=$$?; }; \
		[ $$tested -eq 0 ] && exit $$checked' pytest $(ARGS)

check: .venv/.dev ## lint, formatting and types only
	@failed=0; for tool in "ruff check" "ruff format --check" mypy "mypy -p deploy.services"; do \
		$(BIN)/$$tool || failed=1; done; exit $$failed

test-long: .venv/.dev ## the full matrices and sizes: hours
	@$(SERVICE) run -- $(BIN)/python -m pytest -m long -o timeout=7200 $(ARGS)

bench: .venv/.dev ## measure CPU, latency and memory; the table for bench/README.md
	@$(SERVICE) bench-tools
	@$(SERVICE) run -- $(BIN)/python -m bench $(ARGS)

services: python ## start Kafka, Redis, MongoDB, PostgreSQL and Weaviate; addresses in .services/env
	@$(SERVICE) start

services-stop: python ## stop what `make services` started
	@$(SERVICE) stop

up: ## the same with containers (PROFILE=infra: only what Sluice talks to)
	@$(COMPOSE) up --build --detach

down: ## stop the containers; their volumes stay
	@$(COMPOSE) down

lock: .venv/.created ## compile the lock files again (ARGS=--upgrade for newer versions)
	@$(PIP) install uv==$(UV)
	@$(LOCK) -o requirements.lock pyproject.toml $(ARGS)
	@$(LOCK) -o requirements-dev.lock --group dev pyproject.toml $(ARGS)
	@$(BUILD_NEEDS) | $(LOCK) -o requirements-build.lock -c requirements-dev.lock - $(ARGS)

audit: .venv/.created ## look the locked dependencies up among known vulnerabilities (asks pypi.org)
	@$(PYTHON) -m venv .venv/audit
	@.venv/audit/bin/pip --disable-pip-version-check -q install pip-audit==$(AUDIT)
	@failed=; for lock in requirements.lock requirements-dev.lock requirements-build.lock; do echo "$$lock:"; \
		.venv/audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip -r $$lock $(ARGS) || failed=1; \
	done; [ -z "$$failed" ] || { echo "make audit: either a package above is known to be vulnerable (make lock" \
		"ARGS=--upgrade), or pypi.org did not answer and nothing was looked up" >&2; exit 1; }

clean: ## stop the services; remove the environment, caches and test data, but not data/
	@if [ -d .services ]; then $(SERVICE) stop; fi
	@rm -rf .venv .services .artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
# Hatchling asks for editables when it builds an editable install.
BUILD_NEEDS := $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "editables", sep="\n")'
INSTALL := $(PIP) install --require-hashes --no-deps

# Tests wait more than they compute, so that there are more workers than cores; tests/parallel.py.
PARALLEL := -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Sluice needs Python 3.11 or newer, $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
		echo "Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; } >&2

# Stamps are written last, so that an interrupted installation is taken up again.
.venv/.created: | python
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot create virtual environments: sudo apt-get install python3-venv"; \
		exit 1; } >&2
	@echo "creating .venv" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.created requirements.lock requirements-build.lock pyproject.toml
	@echo "installing requirements.lock" >&2
	@$(INSTALL) -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	@echo "installing requirements-dev.lock" >&2
	@$(INSTALL) -r requirements-dev.lock
	@touch $@
