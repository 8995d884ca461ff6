# Everything a clone needs: `make demo` and `make test` set themselves up. `make help` lists the rest.

# The one place that names the version of torch to develop with; pyproject.toml gives the range that users may have.
# It is installed before the rest, so that nothing else chooses a newer and much larger build.
TORCH := torch==2.13.0
# Without its dependencies, of which pyproject.toml has those that suit a CPU, and says why.
TORCHREC := torchrec==1.8.0

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Twice quiet: errors alone.
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

# Python 3.11 where there is one, else python3 if it is new enough; or the one given: make setup PYTHON=python3.12
PYTHON ?= $(firstword $(foreach name,python3.11 python3,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))

# Threads that wait sleep: spinning ones are many times slower where something else needs the core.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo serve bench peers lint programs test docs tutorials faults audit licences sbom clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1|/p' Makefile | while IFS='|' read -r target text; do \
		printf 'make %-9s %s\n' "$$target" "$$text"; done

setup: $(INSTALLED) ## Make .venv with adi and its development tools

# Runs again only when pyproject.toml, or the pin above, is newer than the last complete set-up.
$(INSTALLED): pyproject.toml Makefile
	@if [ -z "$(PYTHON)" ]; then \
		echo "adi needs Python 3.11 or newer, and neither python3.11 nor python3 is one ($$(python3 --version 2>&1))." >&2; \
		echo "Install it, or say where it is: make setup PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@echo "Setting up $(VENV) with $(PYTHON); the first time takes minutes ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[dev]'
	@$(PIP) --no-deps $(TORCHREC)
	@touch $@

demo: $(INSTALLED) ## Simulate a marketplace, train four models, compare them: demo/report.html
	@rm -rf demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo.sh demo

serve: $(INSTALLED) ## Serve the demo's model on http://127.0.0.1:8000; makes the demo where there is none
	@test -e demo/bundle || $(MAKE) --no-print-directory demo
	@$(BIN)/adi serve demo/bundle

# Each benchmark, one after the other; docs/benchmarks.md says what each compares.
bench: $(INSTALLED) peers ## Measure everything, beside other libraries and lower bounds: an hour, and 15 GB of disk
	@$(BIN)/python -m benchmarks train --rechub $(RECHUB)/bin/python --libreco $(LIBRECO)/bin/python
	@$(BIN)/python -m benchmarks domains
	@$(BIN)/python -m benchmarks tables
	@$(BIN)/python -m benchmarks train --rechub $(RECHUB)/bin/python --device cuda
	@$(BIN)/python -m benchmarks domains --device cuda
	@$(BIN)/python -m benchmarks tables --device cuda
	@$(BIN)/python -m benchmarks scale
	@$(BIN)/python -m benchmarks plan
	@$(BIN)/python -m benchmarks loss
	@$(BIN)/python -m benchmarks loader
	@$(BIN)/python -m benchmarks evaluate
	@$(BIN)/python -m benchmarks export
	@$(BIN)/python -m benchmarks prepare --rows 1000000,10000000 --folder bench/logs
	@$(BIN)/python -m benchmarks serve --folder bench/serve
	@$(BIN)/python -m benchmarks trends --folder bench/trends
	@$(BIN)/python -m benchmarks swaps --folder bench/swaps
	@$(BIN)/python -m benchmarks overload --folder bench/overload
	@$(BIN)/python -m benchmarks start --bundle bench/serve/bundle

# Environments of their own for libraries whose requirements clash with ours and with each other's.
RECHUB := .venv-rechub
LIBRECO := .venv-libreco
RECTOOLS := .venv-rectools
ALONE = -m pip install --quiet --quiet --disable-pip-version-check

peers: $(RECHUB)/.installed $(LIBRECO)/.installed $(RECTOOLS)/.installed ## Environments of the libraries to measure beside

$(RECHUB)/.installed:
	@$(PYTHON) -m venv $(RECHUB)
	@$(RECHUB)/bin/python $(ALONE) $(TORCH)
	@$(RECHUB)/bin/python $(ALONE) 'numpy>=2.4,<2.5' 'pandas>=3,<4' scikit-learn tqdm
	@$(RECHUB)/bin/python $(ALONE) --no-deps torch-rechub==0.9.0
	@touch $@

$(LIBRECO)/.installed:
	@$(PYTHON) -m venv $(LIBRECO)
	@$(LIBRECO)/bin/python $(ALONE) tensorflow-cpu==2.15.1 'numpy<2' 'pandas<2.3' 'scipy<1.14' scikit-learn gensim tqdm
	@$(LIBRECO)/bin/python $(ALONE) $(TORCH)
	@$(LIBRECO)/bin/python $(ALONE) --no-deps LibRecommender==1.5.2
	@touch $@

# RecTools brings implicit, in a build of its own name for newer Pythons; both write the same package.
$(RECTOOLS)/.installed:
	@$(PYTHON) -m venv $(RECTOOLS)
	@$(RECTOOLS)/bin/python $(ALONE) $(TORCH)
	@$(RECTOOLS)/bin/python $(ALONE) rectools==0.19.0 pm-implicit==0.7.3 pytorch-lightning==2.5.2
	@touch $@

lint: $(INSTALLED) ## Check format, style and types
	$(BIN)/ruff format --check src audit benchmarks tests examples docs
	$(BIN)/ruff check src audit benchmarks tests examples docs
	$(BIN)/mypy
	$(BIN)/mypy examples/*.py docs/_ext/*.py

# Programs that some tests drive: a browser, a store of events, a proxy, and the machine that Spark runs on. Debian's packages have
# their names, but for java. Without one of them its tests fail, and say what is missing; the others run.
PROGRAMS := chromium redis-server nginx java
# Debian has nginx in a folder that the PATH of many users lacks.
export PATH := $(PATH):/usr/sbin

programs:
	@missing() { for name in $(PROGRAMS); do command -v $$name >/dev/null || echo $$name; done | \
		sed 's/^java$$/default-jre-headless/'; }; \
	if [ -n "$$(missing)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's" $$(missing) "for the tests that drive them ..."; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$(missing) fonts-dejavu-core >/dev/null; \
	fi; \
	if [ -n "$$(missing)" ]; then \
		echo "Some tests will fail: there is no" $$(missing)", and only root may install it, with apt-get." >&2; \
		echo "Run 'sudo apt-get install" $$(missing)"', or put the programs on the PATH." >&2; \
	fi

# Each process of the tests makes the shared fixtures anew, so more than a few gain nothing. Each has one thread, since
# there are as many as cores; networks of the tests' size are slower with more.
test: lint programs ## Lint, then run every test; installs Debian's chromium, redis-server, nginx and Java where they are missing
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

docs: $(INSTALLED) ## Build the documentation site: docs/_build/html/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs docs/_build/html
	@echo "Open docs/_build/html/index.html."

tutorials: $(INSTALLED) ## Run the tutorials and write what they print into their pages
	$(BIN)/python docs/_ext/tutorials.py

faults: $(INSTALLED) programs ## Try to break each promise of docs/guarantees.md thousands of times: some hours
	OMP_NUM_THREADS=1 $(BIN)/pytest --exhaustive --numprocesses auto --maxprocesses 4 --dist worksteal

# pip-audit and CycloneDX in an environment of their own, so that what they need is no part of what they look at.
AUDIT := .venv-audit

$(AUDIT)/.installed: Makefile
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python $(ALONE) pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

# A build's label, such as +cpu, is unknown to the vulnerability service. Strict: what the service does not know is no pass.
audit: $(INSTALLED) $(AUDIT)/.installed ## Ask PyPI for known vulnerabilities of all that is installed
	@mkdir -p build
	@$(BIN)/pip list --disable-pip-version-check --format freeze --exclude-editable | sed 's/+[^ ]*//' > build/installed.txt
	@$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement build/installed.txt

licences: $(INSTALLED) ## Write docs/licences.md; fails for a licence that is not compatible
	@$(BIN)/python -m audit.licences > docs/licences.md

sbom: $(INSTALLED) $(AUDIT)/.installed ## Write a software bill of materials, CycloneDX 1.6: build/sbom.json
	@mkdir -p build
	@$(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o build/sbom.json $(BIN)/python

clean: ## Remove .venv, demo/ and what the tools left
	rm -rf $(VENV) $(AUDIT) $(RECHUB) $(LIBRECO) $(RECTOOLS) demo bench build docs/_build docs/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
	find src audit benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
