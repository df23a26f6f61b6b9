# Two targets to know: `make serve` and `make test`. Set-up runs by itself and only when something changed.
#
#   make serve ARGS="--listen 127.0.0.1:9000"   more options for the server
#   make test ARGS="-k keys"                    more options for pytest

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
SETUP := tools/setup.sh pyproject.toml
ARGS ?=

# Half of the tests' time is waiting, so there are more workers than cores. A file's tests stay together.
WORKERS ?= 3
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile

# What `make test` leaves to the targets below it.
SHORT := not soak and not every_client and not toolchain

.PHONY: help serve clients snippets test test-clients test-reference soak
.PHONY: bench lint format types contracts tidy gen coverage lock clean

help:
	@echo "make serve         set up and serve a demo account; ARGS= for more options"
	@echo "make test          every check: lint, types, contracts, limits, generated files, tests"
	@echo "make test-clients  the same gateway under every published client"
	@echo "make test-reference  the reference programs in all languages that install"
	@echo "make soak          long seeds, fuzz and churn"
	@echo "make bench         figures, each beside an anchor; ARGS= chooses"
	@echo "make lint format   ruff: look, or mend"
	@echo "make types contracts tidy gen coverage lock clean"

# The stamps live in the environment, so that removing it sets everything up again.
.venv/.server: requirements/server.txt $(SETUP)
	@tools/setup.sh server && touch $@

.venv/.dev: requirements/dev.txt $(SETUP)
	@tools/setup.sh dev && touch $@ .venv/.server

# `exec` leaves the server as make's own child: a signal to make reaches it, and make waits for its drain.
serve: .venv/.server
	@exec $(BIN)/listenkey serve --demo $(ARGS)

# Published clients, each in an environment of its own below .venv-clients; does nothing when all is there.
clients: .venv/.dev
	@$(BIN)/python tests/clients/setup

# What the reference's programs are run with, in the languages that every test run tries.
snippets: .venv/.dev
	@tests/snippets/setup short

# Without ARGS the run is a whole one, and every row of the dialects has to have been seen in it.
test: clients snippets lint types contracts tidy
	@rm -rf .pytest_cache/seen
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "$(SHORT)" $(ARGS)
	@$(if $(ARGS),,$(BIN)/python -m tests.support.seen)

test-clients: clients
	@exec $(BIN)/python -m pytest tests/clients -m "not soak" $(ARGS)

# The reference's programs in all the other languages; two minutes of set-up where nothing is there yet.
test-reference: clients
	@tests/snippets/setup all
	@exec $(BIN)/python -m pytest tests/snippets tests/chilkat $(SIDE_BY_SIDE) -m toolchain $(ARGS)

soak: .venv/.dev
	@exec $(BIN)/python -m pytest -m soak --timeout=0 $(ARGS)

bench: .venv/.dev
	@exec $(BIN)/python -m bench $(ARGS)

lint: .venv/.dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "not formatted: run make format" >&2; exit 1; }

format: .venv/.dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

types: .venv/.dev
	@$(BIN)/mypy

contracts: .venv/.dev
	@$(BIN)/lint-imports --no-logo

# Sizes, private paths and generated files.
tidy: .venv/.dev
	@$(BIN)/python -m tools.limits
	@$(BIN)/python -m tools.private
	@$(BIN)/python -m tools.gen --check

gen: .venv/.dev
	@$(BIN)/python -m tools.gen

coverage: clients snippets
	@$(BIN)/coverage run -m pytest -m "$(SHORT)" $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

# Newest versions of everything that is not held on purpose. Wants uv on the path.
lock:
	@command -v uv >/dev/null || { echo "make lock wants uv on the path" >&2; exit 1; }
	@cd requirements && for name in server dev; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --upgrade $$name.in --output-file $$name.txt || exit 1; done

clean:
	@rm -rf .venv .venv-clients build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage*
