# Everything happens in .venv; nothing outside this folder is touched.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: install demo test test-deps lint docs bench clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(PIP) --editable ".[embedded]"
	touch $@

demo: install
	$(BIN)/prodgen demo --out demo

test-deps: install
	$(PIP) --editable ".[test]"

test: test-deps
	$(BIN)/pytest -n 2 --dist loadfile

lint: test-deps
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: test-deps
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: install
	$(BIN)/prodgen bench

clean:
	rm -rf $(VENV) demo site .pytest_cache .mypy_cache .ruff_cache
