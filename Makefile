# `make demo` shows what ectype does, `make test` checks it. Both need only Python and pip: they
# make the environment .venv at the first call. Another Python: `make demo PYTHON=python3.12`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check -qq install --editable

.PHONY: demo test slow lint bench clean

demo: $(VENV)/.demo
	$(BIN)/ectype demo image

# Many short computations in several processes: threads that spin while they wait would only
# take the cores from one another.
test slow: export OMP_WAIT_POLICY ?= PASSIVE

# A process a core, each with one thread: half the time of one process with all threads.
test slow: export OMP_NUM_THREADS ?= 1
test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -n auto --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The files .made, .demo and .dev record what is installed, so that a second call starts at once.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	    echo "ectype needs Python 3.11 to 3.13; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.made
	@echo "installing into $(VENV), which takes a minute or two"
	$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	@echo "installing into $(VENV), which takes a minute or two"
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/.demo
