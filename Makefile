# make demo | test | check | bench | clean
# Nothing is reinstalled until pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin
TRACES := src/gatling/examples/traces.jsonl

# One BLAS thread: the arrays are small, and the timings of benchmarks stay comparable.
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:
	@echo "make demo    install and audit the example traces"
	@echo "make test    check, then the tests"
	@echo "make check   ruff, mypy and import contracts"
	@echo "make bench   run the benchmarks"
	@echo "make clean   remove .venv and caches"

.venv/venv.stamp:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/base.stamp: .venv/venv.stamp pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev.stamp: .venv/venv.stamp pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/base.stamp

# `gatling audit` exits 0 when every call may run, 1 when one is flagged, 2 when it could not audit.
# The examples hold hijacked runs, so only 1 is right here.
demo: .venv/base.stamp
	$(BIN)/gatling audit $(TRACES); test $$? -eq 1
	$(BIN)/gatling explain $(TRACES) --trace cabin-page-comment --call mail-1; test $$? -eq 1

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
