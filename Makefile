# Every target makes the environment in .venv when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test networks slow check bench clean

demo: $(VENV)/.runtime
	$(BIN)/shoal demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not networks" $(ARGS)

# Random networks beside PyTorch: 200 of them, of which `make test` takes 50.
networks: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal -m networks $(ARGS)

slow: $(VENV)/.test
	SHOAL_TESTS_COMPILE=full $(BIN)/python -m pytest -n auto --dist worksteal -m slow $(ARGS)

check: $(VENV)/.check
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python bench/run.py $(ARGS)

# One stamp for each set of dependencies; all are newer than pyproject.toml, or made again.
$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.runtime
	$(BIN)/pip install --quiet "torch==2.13.0"
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

$(VENV)/.check: $(VENV)/.runtime
	$(BIN)/pip install --quiet --editable ".[check]"
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/pip install --quiet --editable ".[peers]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
