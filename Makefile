# `make help` lists all targets. Needs Python 3.10 or newer, pip and git.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
# Stages call `python` and `dvc`; inside the environment these are the right ones.
IN_ENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYTHONPATH="$(CURDIR)/src"

.DEFAULT_GOAL := help
.PHONY: help setup repro remote review up-to-date plane sweep study misses domain faces calibrate bench bench-anonymize test test-slow mutants docs-check lint format lock clean

help:  ## List all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Create .venv and install requirements.txt

repro: $(READY)  ## Run the experiment: re-run stale stages
	@$(IN_ENV) dvc repro
	@echo "The report: report/index.html. Metrics: metrics/golden.json. To compare: dvc metrics diff, dvc exp run -S blur.sigma=8"

remote: $(READY)  ## Set the DVC remote that shares data and models: REMOTE=folder or s3://bucket/folder
	@$(IN_ENV) dvc remote add --local --default --force storage "$(or $(REMOTE),$(CURDIR)/../facade-remote)"
	@echo "dvc push sends data and models there, dvc pull fetches them."

review: $(READY)  ## Review a change, as its pull request will show it: BASE=main
	@$(IN_ENV) python -m facade review --base $(or $(BASE),main) \
		$(if $(PICTURES),--pictures $(PICTURES)) $(if $(REPORT),--report $(REPORT))

up-to-date: $(READY)  ## Check that dvc.lock and metrics match the code and parameters
	@$(IN_ENV) python -m facade review --check

plane: $(READY)  ## Plot cost against linkage for all experiments, into experiments/
	@$(IN_ENV) python -m facade experiment plane experiments

sweep: $(READY)  ## Run a sweep and write its page: SWEEP=dose-response JOBS=1 (experiments/sweeps.yaml)
	@$(IN_ENV) python -m facade experiment sweep $(or $(SWEEP),dose-response) --jobs $(or $(JOBS),1)

study: $(READY)  ## Compare the treatments of a study on one data set, each against raw: STUDY=widerface SET="-S ingest.path=/data/WIDER ..." (experiments/studies.yaml)
	@$(IN_ENV) python -m facade experiment study $(or $(STUDY),widerface) $(SET)

misses: $(READY)  ## Measure the benefit of known misses: POOL=folder; by default, rendered photographs
	@$(IN_ENV) python -m facade experiment misses experiments $(POOL)

domain: $(READY)  ## Measure the benefit of training for a target camera: DOMAIN=fisheye+grey; by default, fisheye
	@$(IN_ENV) python -m facade experiment domain experiments $(DOMAIN)

faces: $(READY)  ## Render contact sheets of synthetic faces into docs/faces
	@$(IN_ENV) python -m facade sheets docs/faces

calibrate: $(READY)  ## Check the error rates of the verdict on simulated studies (docs/soundness.md)
	@$(IN_ENV) python -m facade experiment soundness docs/soundness.md

bench: $(READY_DEV)  ## Measure speed and realism (under 15 minutes); records ratios in benchmarks/results/<commit>.json
	@$(IN_ENV) sh -ec 'export FACADE_KEEP_RESULTS=1; for one in limits.py training.py scoring.py stores.py bootstrap.py "speed.py replace" \
		"speed.py heads" realism.py "detectability.py --rendered"; do python benchmarks/$$one; done; \
		if test -d data/train; then python benchmarks/cores.py; fi; python benchmarks/keeping.py'

bench-anonymize: $(READY_DEV)  ## Compare facade anonymize with deface; PHOTOGRAPHS=folder adds a Facade data set, DETECTORS="name=file ..." other detectors
	@$(IN_ENV) python benchmarks/anonymize.py $(if $(PHOTOGRAPHS),--photographs $(PHOTOGRAPHS)) $(foreach one,$(DETECTORS),--detector $(one))

test: $(READY_DEV)  ## Check style and types, and run the tests (7 to 8 minutes on 2 cores)
	@$(MAKE) --no-print-directory lint
	@echo "Tests"
	@$(IN_ENV) python -m pytest -n auto

test-slow: $(READY_DEV)  ## Also run the slow tests
	@$(IN_ENV) python -m pytest -n auto -m "(slow or not slow) and not docs"

mutants: $(READY_DEV)  ## Change a module, and see whether its tests notice: MODULES="measure/verdict gate" (tests/mutate.py)
	@$(IN_ENV) python tests/mutate.py $(or $(MODULES),gate)

docs-check: $(READY_DEV)  ## Run the commands of README and docs in a tiny clone, and check links
	@$(IN_ENV) python -m pytest -n 0 -m "docs or not docs" tests/test_docs.py

lint: $(READY_DEV)  ## Check style, format and types
	@echo "Style (ruff), format (ruff), types (mypy)"
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check --quiet . || { echo "Run 'make format'." >&2; exit 1; }
	@$(IN_ENV) mypy

format: $(READY_DEV)  ## Format the code
	@$(IN_ENV) ruff check --fix --quiet . ; $(IN_ENV) ruff format .

lock: $(READY_DEV)  ## Recompile the pinned requirements from requirements*.in
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements.in -o requirements.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements-ray.in -o requirements-ray.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.10 --no-emit-index-url requirements-dev.in -o requirements-dev.txt
	@$(IN_ENV) uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url requirements-diffusion.in -o requirements-diffusion.txt

clean:  ## Remove .venv and unfinished work; keep data, models and the DVC cache
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
