# make demo   quantize the sample detector and show what that makes of it
# make test   everything that CI runs: style, types, layers, then the tests; as root on Debian it installs qemu and
#             the compilers and libraries with which programs for other CPUs are made and run, elsewhere these tests may
#             be skipped
# make lint   the first three of these alone
# make docs   the documentation as a site in build/site, for a browser; a broken link is an error
# make fuzz   mutated inputs of every kind for MINUTES (1), each in a child with limits; SEED (0) chooses them
# make trust  the same; faults, TIMES (10) each; CASES (100) layers and graphs against other implementations; and
#             docs/trust.md, which says what was tried. `make trust-page` adds what was tried apart from that to the page
# make locked what CI installs: the versions of requirements.lock, held to their hashes (make lock renews the file)
# make clean  remove what the others made, virtual environments included
#
# All that is needed is Python 3.10 to 3.13 (PYTHON=python3.12 chooses one) and access to a Python package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOSA_VENV := .venv-tosa
AARCH64 := .aarch64
DEMO := demo
DATA := tests/data
MINUTES := 1
SEED := 0
TIMES := 10
CASES := 100
TRIED := build/trust

.PHONY: demo test lint docs fuzz trust trust-page lock locked clean

demo: $(VENV)/installed
	mkdir -p $(DEMO)
	$(BIN)/quantune quantize $(DATA)/detector.onnx --calibration $(DATA)/detector_calibration.npz --output $(DEMO)/detector --force
	$(BIN)/quantune evaluate $(DEMO)/detector --data $(DATA)/detector_test.npz --score tools/detector/detections.py \
	    --variant fp32 --variant int8 --variant mixed --json $(DEMO)/detector/evaluation.json > /dev/null
	$(BIN)/quantune bench $(DEMO)/detector --variant fp32 --variant int8 --variant mixed \
	    --json $(DEMO)/detector/bench.json > /dev/null
	$(BIN)/quantune report $(DEMO)/detector
	$(BIN)/python -m tools.detector.demo $(DEMO)/detector --picture $(DEMO)/detector.svg

test: lint $(TOSA_VENV)/installed
	tools/fetch_emulators.sh $(BIN)/python $(AARCH64)
	tools/fetch_browser.sh
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --project pyproject.toml --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

fuzz: $(VENV)/installed-dev
	$(BIN)/python -W ignore -m tools.fuzz --minutes $(MINUTES) --seed $(SEED) --json $(TRIED)/fuzz.json

trust: fuzz $(TOSA_VENV)/installed
	$(BIN)/python -m tools.fuzz.faults --times $(TIMES) --seed $(SEED) --json $(TRIED)/faults.json
	$(BIN)/python -W ignore -m tools.fuzz.integers --count $(CASES) --seed $(SEED) --json $(TRIED)/integers.json
	$(BIN)/python -W ignore -m tools.fuzz.graphs --count $(CASES) --seed $(SEED) --json $(TRIED)/graphs.json
	$(BIN)/python -W ignore -m tools.fuzz.rewritings --count $(TIMES) --seed $(SEED) --json $(TRIED)/rewritings.json
	$(MAKE) trust-page

trust-page: $(VENV)/installed-dev
	$(BIN)/python -m tools.fuzz.report $(TRIED) docs/trust.md

lock: $(VENV)/pip
	$(BIN)/python tools/lock.py

locked: $(VENV)/pip
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(VENV)/installed $(VENV)/installed-dev

clean:
	rm -rf $(VENV) $(TOSA_VENV) $(AARCH64) $(DEMO) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Each stamp file stands for an environment that is up to date with pyproject.toml.

$(VENV)/pip $(TOSA_VENV)/pip:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14) and "Python 3.10 to 3.13 is needed")'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(TOSA_VENV)/installed: $(TOSA_VENV)/pip pyproject.toml
	$(TOSA_VENV)/bin/python -m pip install --quiet --group tosa
	touch $@
