# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
DEMO := runs/demo
# Where data sets that came on a disk lie, and where the tests look for them once they are laid out.
LAYOUT := ../shared/data/prepare.py
DATA := .data
SETS := mnist cifar10 imagenet-sample stsb sst2 squeezenet-deep-compression

.PHONY: demo test test-base nightly lint data browser format clean

demo: $(VENV)/.installed
	$(RUN)/compress run --model lenet-300-100 --task digits --prune 0.9 --quantize 5bit --out $(DEMO) --force

test: lint
	$(RUN)/python -m pytest -n auto --dist worksteal \
		-m "not slow and not gpu and not network" $(PYTEST_ARGS)

# Hours: every row of the zoo, every place where a run may be killed, many more examples.
nightly: lint
	$(RUN)/python -m pytest -n auto --dist worksteal --hypothesis-profile=nightly \
		-m "not gpu and not network" $(PYTEST_ARGS)

# The tests that need no torch, where only the base install is: VERSIONS=lowest takes the lower bounds
# of pyproject.toml, newest what pip would take.
VERSIONS := newest
BASE = .venv-base/$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(VERSIONS)

test-base:
	@$(PYTHON) --version || { echo "$(PYTHON) is not here: name one with make test-base PYTHON=..."; exit 1; }
	@$(MAKE) --no-print-directory $(BASE)/.installed
	$(BASE)/bin/python -m pip list --format freeze
	NUMBA_CACHE_DIR=$(abspath $(BASE)) $(BASE)/bin/compress warm
	NUMBA_CACHE_DIR=$(abspath $(BASE)) $(BASE)/bin/python -m pytest -n auto --dist worksteal \
		-m "not slow and not gpu and not network" $(PYTEST_ARGS) tests compress zoo

.venv-base/%/.installed: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps --editable .
	$(@D)/bin/python tests/requirements.py $(VERSIONS) >$(@D)/requirements.txt
	$(@D)/bin/python -m pip install --quiet --requirement $(@D)/requirements.txt \
		pytest pytest-xdist hypothesis
	touch $@

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
	rm -rf $(VENV) .venv-base build dist runs *.egg-info
