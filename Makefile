# `make demo` shows it, `make test` checks it. Packages land in .venv, results in this folder, and base models that were
# converted in ~/.cache/bakeoff; nothing else of the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo test test-fast test-slow versions chaos neighbour gpu lint format docs results lock audit clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt requirements-locked.txt requirements-embedded.txt
	@$(PYTHON) -c 'import sys; sys.exit("bakeoff needs Python 3.11 or newer; call make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv .venv  # on Debian it needs python3-venv
	sed -n '/^pip==/,/[^\]$$/p' requirements-locked.txt > .venv/pip.txt  # first: pip can't well replace itself at work
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement .venv/pip.txt
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements-locked.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements-embedded.txt
	@touch $@

demo: setup
	$(BIN)/bakeoff run quickstart

# A file's tests stay together: they share a study that has been run. Long ones come first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: setup
	$(PYTEST)

# No model is loaded and no browser started: data, metrics, statistics, figures, records, the house.
FAST := tests/house tests/toolkit/data tests/toolkit/records tests/toolkit/specs tests/eval/metrics \
    tests/eval/statistics tests/eval/foreign tests/figures

test-fast: setup
	$(PYTEST) -m "not slow and not hub and not browser" $(FAST)

test-slow: setup
	$(PYTEST) -m "slow or not slow"

# Not a test: another Python or other versions, in an environment of their own under build/versions/. For example
# `make versions PYTHON=python3.13 STACK=newest`; STACK=lowest takes the lower bounds of pyproject.toml, STACK=tested
# the versions of constraints.txt, TORCH=2.15.0 another torch. Needs a connection.
STACK ?= tested
TORCH ?=
versions:
	$(PYTHON) -P tests/versions.py --stack $(STACK) --torch "$(TORCH)" \
	    $(FAST) tests/toolkit/training tests/experiments/running/test_runner.py

# Not a test: hours. Kills a tiny study at random moments; the same command continues where it stopped.
KILLS ?= 30
chaos: setup
	$(BIN)/python -m tests.chaos $(KILLS)

# Not a test: a quarter of an hour on a machine that does nothing else. What four ways of waiting cost, alone and beside others.
# NEIGHBOUR=--real takes the training steps of SmolLM2-135M instead of a very small model's.
NEIGHBOUR ?=
neighbour: setup
	$(BIN)/python -m tests.neighbour $(NEIGHBOUR)

# On a machine with one CUDA GPU, under 35 minutes after setup and without a connection: the tests marked `gpu`,
# the quickstart and the benches; writes docs/gpu.md. Stopped, the same command continues.
gpu: setup
	HF_HUB_OFFLINE=1 $(BIN)/python -m experiments.bench.performance.gpu

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -P tests/house/plain_words.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Draws the reports of the studies in experiments/results again, from their records alone.
results: setup
	$(BIN)/python -m experiments.publishing

# Writes requirements-locked.txt from constraints.txt, after a version in it has changed. Needs a connection.
lock: setup
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet uv==0.13.9
	head -2 requirements-locked.txt > .venv/locked.txt
	grep -v -E '^(#|torch==)' constraints.txt | sed '$$a pip==26.3' | .venv/lock/bin/uv pip compile --quiet --no-deps \
	    --generate-hashes --python-version 3.11.9 --no-header --no-annotate - >> .venv/locked.txt
	mv .venv/locked.txt requirements-locked.txt

# Known vulnerabilities of the locked packages; skipped, with the reason, if their list can't be reached.
audit: setup
	$(BIN)/python -P tests/supply_chain.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site

clean:
	rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
