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
# What is compared or kept comes from the compiled loops; the demo does as on a user's machine.
export BRIGHTSPOTS_LOOPS = compiled
WORKERS ?= 2
# A file's tests stay on one worker, which makes what they share once.
SPREAD := -n $(WORKERS) --dist loadfile
# What takes minutes has targets of its own.
USUAL := 'not calibration and not attack and not fuzz'

.PHONY: demo test test-lowest test-lowest-short test-again wheel lint calibrate attack golden fuzz benchmark notebooks outputs docs clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: export BRIGHTSPOTS_LOOPS = auto
demo: $(INSTALLED)
	$(BIN)/brightspots demo --force

test: $(READY)
	$(BIN)/python -m pytest $(SPREAD) -m $(USUAL)
	$(BIN)/python -m pytest --nbmake notebooks

# What a newer interpreter may change: not the pages, the notebooks, or what a browser shows of them.
test-again: $(READY)
	$(BIN)/python -m pytest $(SPREAD) -m $(USUAL) --ignore tests/docs --ignore tests/calibration --ignore tests/fuzz \
		--ignore tests/report/test_browser.py --ignore tests/test_layers.py

# The suite with the oldest versions that pyproject.toml allows, together; on Python 3.11, which has wheels of them.
LOWEST := $(VENV)-lowest
# Old versions use what newer ones beside them announce to drop, as users of either know: no error here.
LOWEST_PYTEST := $(LOWEST)/bin/python -m pytest $(SPREAD) -m $(USUAL) \
	-W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning
$(LOWEST)/.ready: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[test]'
	touch $@

LOWEST_SHORT := tests/data/test_tables.py tests/common/test_files.py tests/fit/test_storage.py tests/fit/test_spots.py \
	tests/limits/test_funnel.py tests/statistics/test_ratings.py tests/disclosure/test_suppress.py tests/cli/test_commands.py \
	tests/figures tests/readers tests/report/test_pack.py tests/report/test_word.py tests/report/test_slides.py \
	tests/engine/chains/test_nuts.py::test_a_short_run_does_not_earn_its_certificate_and_says_so

test-lowest: $(LOWEST)/.ready
	$(LOWEST_PYTEST)

# Of every way in and out a part, for each change: tables, fits, files, figures, packs, disclosure, the sampler.
test-lowest-short: $(LOWEST)/.ready
	$(LOWEST_PYTEST) $(LOWEST_SHORT)

# The source distribution and the wheel, and the wheel used where the checkout is not.
wheel: $(READY)
	.ci/wheel $(BIN)/python

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

calibrate: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) -m calibration

# The tables that fits gave when they were kept, all of them; the suite compares some.
golden: $(READY)
	$(BIN)/python -m tests.golden.tables check

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
