# Two commands do everything: `make demo` and `make test`. Both set up .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DELETE_ON_ERROR:
ifdef CORPUS
export DESK_CORPUS := $(shell realpath '$(CORPUS)')
endif

.PHONY: demo test web chat doctor lint lock clean

demo: $(VENV)/.ready ## Everything once, on the emulator; CORPUS=dir searches your own documents
	GOOGLE_GEMINI_BASE_URL= DESK_BACKEND=emulator DESK_DATA_DIR=$(abspath build/demo) $(BIN)/desk demo --out reports

test: $(VENV)/.ready-dev ## The whole test suite, with lint and types, without a network
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

web: $(VENV)/.ready ## The development UI in a browser
	$(BIN)/adk web agents

chat: $(VENV)/.ready ## The desk in this terminal
	$(BIN)/adk run agents/desk

doctor: $(VENV)/.ready
	$(BIN)/desk doctor

.PHONY: faults chaos
faults: $(VENV)/.ready-dev ## The fault matrix as a table, beside ADK's own ManagedAgent; ARGS=--markdown
	$(BIN)/python -m tests.faults $(ARGS)

chaos: $(VENV)/.ready-dev ## Random faults and kills; ARGS="--runs N --seed S --run K"
	$(BIN)/python -m tests.faults.chaos $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

lock: ## Resolve the dependencies anew (needs pip-tools)
	pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --build-deps-for editable --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --output-file requirements.lock pyproject.toml
	pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --build-deps-for editable --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-header --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) build reports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Say PYTHON=python3.11 or so."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.ready
