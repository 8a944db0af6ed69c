# `make demo` on a fresh machine with only Python 3.11 to 3.13, make and git installs and runs everything.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check prove lab ui bench lock clean

demo: $(READY)
	$(BIN)/evenhand demo

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Evenhand needs Python 3.11, 3.12 or 3.13; none was found. Set PYTHON=/path/to/python."; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --seed --python $(PYTHON) .venv && \
	  { uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
	    uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; } ; \
	else \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

# Two tests run at a time; each asking for both cores would only make them wait for each other.
check test: export POLARS_MAX_THREADS = 1
check test: export OPENBLAS_NUM_THREADS = 1

check: $(READY)
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

test: $(READY)
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup --durations=15 --cov --cov-report=term --doctest-modules --ignore=src/evenhand/leads/migrations src tests

prove: $(READY)
	$(BIN)/evenhand prove --jobs 2

lab: $(READY)
	$(BIN)/jupyter lab --ip 127.0.0.1 notebooks

ui: $(READY)
	$(BIN)/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///mlruns/mlflow.db

bench: $(READY)
	-$(MAKE) .venv-flattener
	$(BIN)/python -m benchmarks $(SHARE)

# What is measured beside ours and cannot share its environment; it knows no Python 3.13.
.venv-flattener: benchmarks/flattener.lock
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# Needs uv. No index address may enter the file.
lock:
	uv pip compile pyproject.toml --group dev --group lab --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements.lock
	uv pip compile benchmarks/flattener.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header -o benchmarks/flattener.lock

clean:
	rm -rf .venv .venv-flattener build data
