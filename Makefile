# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test lint format figures clean

demo: $(VENV)/.installed
	$(RUN)/compress run --model lenet-300-100 --task digits --prune 0.9 --quantize 5bit --out $(DEMO)

test: $(VENV)/.installed
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python benchmarks/render.py --check
	$(RUN)/python -m pytest -n auto --dist loadfile \
		-m "not slow and not gpu and not network" $(PYTEST_ARGS)

format: $(VENV)/.installed
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip
	$(RUN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist runs *.egg-info
