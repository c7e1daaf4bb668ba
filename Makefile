# make demo | test | check | bench | clean
# Nothing is reinstalled until pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin
TRACES := src/gatling/examples/traces.jsonl
DEMO := build/demo

# One BLAS thread: the arrays are small, and the timings of benchmarks stay comparable.
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:
	@echo "make demo    install, build a dataset, train a model on it, evaluate it, audit the examples with it"
	@echo "make test    check, then the tests"
	@echo "make check   ruff, mypy and import contracts"
	@echo "make bench   run the benchmarks"
	@echo "make clean   remove .venv and caches"

.venv/venv.stamp:
	$(PYTHON) -m venv .venv
	@touch $@

.venv/dev.stamp: .venv/venv.stamp pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/train.stamp

.venv/train.stamp: .venv/venv.stamp pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	@touch $@

# `gatling audit` exits 0 when every call may run, 1 when one is flagged, 2 when it could not audit.
# The examples hold hijacked runs, so only 1 is right here.
demo: .venv/train.stamp
	$(BIN)/gatling build $(DEMO)/plans --size 3000 --seed 7 --workers 2
	$(BIN)/gatling train $(DEMO)/plans --recipe smoke --out $(DEMO)/model --threads 2
	$(BIN)/gatling bundle $(DEMO)/model $(DEMO)/plans --name demo --budget 0.1 --workers 2 \
		--output $(DEMO)/bundle.safetensors
	$(BIN)/gatling evaluate $(DEMO)/bundle.safetensors $(DEMO)/plans --workers 2 --out $(DEMO)/report
	$(BIN)/gatling audit $(TRACES) --model $(DEMO)/bundle.safetensors --top 3; test $$? -eq 1
	@echo "the report on the model: $(DEMO)/report/evaluation.html"

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
