# Everything happens in .venv; nothing outside this folder is touched.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: install demo test test-fast coverage test-deps lint docs bench clean

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

# Left out of test-fast: what starts whole stacks, and what trains or measures for seconds.
SLOW := bench datasets deploy docs faults integration \
	evaluation/test_command.py evaluation/test_evaluate.py evaluation/test_judges.py evaluation/test_unlabelled.py \
	gateway/test_datasets.py gateway/test_process.py storage/test_s3_death.py \
	training/test_command.py training/test_dead_discriminator.py training/test_families.py \
	training/test_process.py training/test_state.py training/test_trainer.py training/test_transfer.py training/test_world.py

test-fast: test-deps
	$(BIN)/pytest -n 2 --dist loadfile $(addprefix --ignore=tests/,$(SLOW))

coverage: test-deps
	$(BIN)/pytest -n 2 --dist loadfile --cov=prodgen --cov=workers --cov=api_gateway --cov-report=term:skip-covered

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
