# Two commands do everything on a fresh machine with a plain Python: make demo, make test.
# PYTHON=… picks another interpreter; each gets its own environment beside the checkout's files.

PYTHON ?= python3
TAG := $(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])')
VENV := .venv$(TAG)
BIN := $(VENV)/bin
# What users install, for the demo; and with it what the tests, the linters and the documentation need.
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
# One thread a process: the numerical libraries would otherwise fight over the cores that pytest-xdist uses.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
WORKERS ?= 2

.PHONY: demo test lint calibrate attack fuzz benchmark notebooks outputs docs clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/brightspots demo --force

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not calibration and not attack and not fuzz'
	$(BIN)/python -m pytest --nbmake notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

calibrate: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m calibration

attack: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m attack

# FUZZ_SIZE=… options, half as many commands and damaged files, a fifth as many tables of hostile labels; FUZZ_SEED=…
# gives others of them. Counts by outcome are printed.
fuzz: $(READY)
	$(BIN)/python -m pytest -n 0 -s -m fuzz tests/fuzz

# The rivals have an environment to themselves. Published files are read from BRIGHTSPOTS_REAL_DATA where it is set.
BENCHMARK := .venv$(TAG)-benchmark
$(BENCHMARK)/.ready: pyproject.toml
	$(PYTHON) -m venv $(BENCHMARK)
	$(BENCHMARK)/bin/python -m pip install --quiet --editable '.[benchmark]'
	touch $@

benchmark: $(BENCHMARK)/.ready
	env -u OMP_NUM_THREADS $(BENCHMARK)/bin/python benchmarks/rivals.py --write
	env -u OMP_NUM_THREADS $(BENCHMARK)/bin/python benchmarks/scale.py --write
	env -u OMP_NUM_THREADS $(BENCHMARK)/bin/python benchmarks/casemix.py --write

# Run the notebooks and keep their results, on published files where BRIGHTSPOTS_REAL_DATA is set.
notebooks: $(READY)
	$(BIN)/python docs/notebooks.py

# Run the code of README.md and docs/, and put what it prints back into the pages.
outputs: $(READY)
	$(BIN)/python docs/blocks.py

# The site, warnings being errors; nothing in it may ask for anything from elsewhere.
docs: export NO_MKDOCS_2_WARNING = 1
docs: $(READY)
	$(BIN)/mkdocs build --quiet --strict
	$(BIN)/python docs/check_site.py site

clean:
	rm -rf .venv* demo dist build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
