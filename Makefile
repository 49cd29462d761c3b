# Everything happens in .venv; nothing outside this folder is touched.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: install demo test soak simulate faults fuzz test-fast coverage test-deps lint docs bench clean

install: $(VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable ".[embedded]"
	touch $@

demo: install
	$(BIN)/prodgen demo --out demo

test-deps: $(VENV)/.test-deps

$(VENV)/.test-deps: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable ".[test]"
	touch $(VENV)/.installed $@

test: test-deps
	$(BIN)/pytest -n 2 --dist loadfile

soak: test-deps
	$(BIN)/pytest -m soak

SEED := 1
ROUNDS := 1000
simulate: test-deps
	$(BIN)/python -m tests.faults.simulation --seed $(SEED) --rounds $(ROUNDS)

faults: ROUNDS := 20
faults: test-deps
	$(BIN)/python -m tests.faults.campaign --seed $(SEED) --rounds $(ROUNDS)

EXAMPLES := 40
fuzz: test-deps
	$(PIP) "schemathesis>=4.32,<5"
	$(BIN)/python -m tests.gateway.fuzz --seed $(SEED) --examples $(EXAMPLES)

# Left out of test-fast: what starts whole stacks, and what trains or measures for seconds.
SLOW := bench datasets deploy docs faults integration \
	$(addprefix evaluation/,test_accuracy.py test_command.py test_evaluate.py test_products.py \
	test_judges.py test_unlabelled.py) \
	$(addprefix training/,test_command.py test_dead_discriminator.py test_families.py test_process.py \
	test_state.py test_trainer.py test_transfer.py test_world.py) \
	gateway/test_datasets.py gateway/test_process.py generation/test_verify.py jobs/test_machine.py \
	storage/test_s3_death.py

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
