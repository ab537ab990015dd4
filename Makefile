# `make help` lists what there is to do. Needs Python 3.10 or newer, pip and git.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
# Stages call `python` and `dvc`; inside the environment these are the right ones.
IN_ENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYTHONPATH="$(CURDIR)/src"

.DEFAULT_GOAL := help
.PHONY: help setup repro remote review up-to-date plane sweep study misses domain faces calibrate bench bench-anonymize test test-slow docs-check lint format lock clean

help:  ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv and install requirements.txt into it

repro: $(READY)  ## Run the experiment: everything that is not up to date
	@$(IN_ENV) dvc repro
	@echo "The report: report/index.html. Metrics: metrics/golden.json. To compare: dvc metrics diff, dvc exp run -S blur.sigma=4"

remote: $(READY)  ## Name the place that data and models are shared by: REMOTE=folder or s3://bucket/folder
	@$(IN_ENV) dvc remote add --local --default --force storage "$(or $(REMOTE),$(CURDIR)/../facade-remote)"
	@echo "dvc push sends data and models there, dvc pull fetches them."

review: $(READY)  ## Tell what a change does, as its pull request will: BASE=main
	@$(IN_ENV) python -m facade.report.pull_request --base $(or $(BASE),main) \
		$(if $(PICTURES),--pictures $(PICTURES)) $(if $(REPORT),--report $(REPORT))

up-to-date: $(READY)  ## Check that dvc.lock and metrics are those of this code and these parameters
	@$(IN_ENV) python -m facade.report.pull_request --check

plane: $(READY)  ## Draw what experiments cost against what they hide, into experiments/
	@$(IN_ENV) python -m facade.report.plane experiments

sweep: $(READY)  ## Run the experiments of a sweep, and write its page: SWEEP=dose-response JOBS=1 (experiments/sweeps.yaml)
	@$(IN_ENV) python -m facade.experiments.sweep $(or $(SWEEP),dose-response) --jobs $(or $(JOBS),1)

study: $(READY)  ## Compare the treatments of a study on one data set: STUDY=widerface SET="-S ingest.path=/data/WIDER ..." (experiments/studies.yaml)
	@$(IN_ENV) python -m facade.experiments.treatment_study $(or $(STUDY),widerface) $(SET)

misses: $(READY)  ## Run the experiment on known misses: POOL=folder; without it, on drawn photographs
	@$(IN_ENV) python -m facade.experiments.misses_study experiments $(POOL)

domain: $(READY)  ## Run the experiment on a target camera: DOMAIN=fisheye+grey; without it, fisheye
	@$(IN_ENV) python -m facade.experiments.domain_study experiments $(DOMAIN)

faces: $(READY)  ## Draw contact sheets of synthetic faces into docs/faces
	@$(IN_ENV) python -m facade.report.sheets docs/faces

calibrate: $(READY)  ## Simulate studies whose truth is known, to see whether the verdict is sound (docs/soundness.md)
	@$(IN_ENV) python -m facade.measure.simulation docs/soundness.md

bench: $(READY_DEV)  ## Measure speed and likeness (under 15 minutes); ratios are kept in benchmarks/results/<commit>.json
	@$(IN_ENV) sh -ec 'export FACADE_KEEP_RESULTS=1; for one in limits.py training.py scoring.py stores.py bootstrap.py "speed.py replace" \
		"speed.py heads" realism.py "detectability.py --rendered"; do python benchmarks/$$one; done; \
		if test -d data/train; then python benchmarks/cores.py; fi; python benchmarks/keeping.py'

bench-anonymize: $(READY_DEV)  ## Measure facade anonymize beside deface; PHOTOGRAPHS=folder adds a data set of Facade's
	@$(IN_ENV) python benchmarks/anonymize.py $(if $(PHOTOGRAPHS),--photographs $(PHOTOGRAPHS))

test: $(READY_DEV)  ## Check style and types, and run the tests (under 8 minutes on 2 cores)
	@$(MAKE) --no-print-directory lint
	@echo "Tests"
	@$(IN_ENV) python -m pytest -n auto

test-slow: $(READY_DEV)  ## Run the tests that take longer, too
	@$(IN_ENV) python -m pytest -n auto -m "(slow or not slow) and not docs"

docs-check: $(READY_DEV)  ## Run the commands of README and docs in a tiny clone, and check their links
	@$(IN_ENV) python -m pytest -n 0 -m "docs or not docs" tests/test_docs.py

lint: $(READY_DEV)  ## Check style, format and types
	@echo "Style (ruff), format (ruff), types (mypy)"
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@$(IN_ENV) mypy

format: $(READY_DEV)  ## Format the code
	@$(IN_ENV) ruff check --fix --quiet . ; $(IN_ENV) ruff format .

lock: $(READY_DEV)  ## Compile the pinned requirements anew from requirements*.in
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements.in -o requirements.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements-ray.in -o requirements-ray.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements-dev.in -o requirements-dev.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url requirements-diffusion.in -o requirements-diffusion.txt

clean:  ## Remove .venv and unfinished work; data, models and the DVC cache stay
	rm -rf $(VENV) .work .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found. Install Python 3.10 or newer, or run 'make PYTHON=/path/to/python'." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is older than 3.10. Run 'make PYTHON=/path/to/a/newer/python'." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module does not work here; on Debian: apt install python3-venv." >&2; exit 1; }

$(READY): requirements.txt | $(VENV)/bin/python
	@echo "Installing requirements.txt (about 5 GB; two to ten minutes)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { echo "Installing failed; the lines above tell why. Run the same command again to go on." >&2; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(READY_DEV): requirements-dev.txt $(READY)
	@echo "Installing requirements-dev.txt"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || { echo "Installing failed; the lines above tell why. Run the same command again to go on." >&2; exit 1; }
	@touch $@
