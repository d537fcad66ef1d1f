# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
DEMO := runs/demo
# Where data sets that came on a disk lie, and where the tests look for them once they are laid out.
LAYOUT := ../shared/data/prepare.py
DATA := .data
SETS := mnist imagenet-sample stsb squeezenet-deep-compression

.PHONY: demo test nightly lint data browser format clean

demo: $(VENV)/.installed
	$(RUN)/compress run --model lenet-300-100 --task digits --prune 0.9 --quantize 5bit --out $(DEMO) --force

test: lint
	$(RUN)/python -m pytest -n auto --dist worksteal \
		-m "not slow and not gpu and not network" $(PYTEST_ARGS)

# Hours: every row of the zoo, every place where a run may be killed, many more examples.
nightly: lint
	$(RUN)/python -m pytest -n auto --dist worksteal --hypothesis-profile=nightly \
		-m "not gpu and not network" $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python benchmarks/render.py --check

# Data sets that more tests use: where none lie beside the clone there is nothing to do.
data:
	@if [ -f $(LAYOUT) ]; then $(PYTHON) $(LAYOUT) $(DATA) $(SETS); \
	else echo "no $(LAYOUT), so nothing to lay out; the tests of those data sets are skipped"; fi

# A browser for the tests of the report's page.
browser:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		apt-get -qq install -y --no-install-recommends chromium; then :; \
	else echo "no browser, and none could be installed; the tests of pages are skipped"; fi

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
