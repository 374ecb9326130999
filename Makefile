# Two commands do all the set-up: `make run` and `make test`. `make check` is the developer's loop.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-fast check install format clean

run: install  ## an A1 learns to walk, live, on its MuJoCo twin
	$(BIN)/reverie train hardware_configs/a1.yaml --twin mujoco

test: install  ## every test, slow ones too
	$(BIN)/pytest

check: install  ## format, lint, types, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pytest -m "not slow and not hardware"

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Setting up $(VENV): some minutes and 2.5 GB. Nothing outside $(VENV) is changed."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
