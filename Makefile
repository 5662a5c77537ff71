# Start with `make demo` or `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DELETE_ON_ERROR:
# Container images of Python set this variable. Each process then compiles thousands of modules, which takes seconds.
export PYTHONDONTWRITEBYTECODE :=
ifdef CORPUS
export DESK_CORPUS := $(shell realpath '$(CORPUS)')
endif

EMULATOR := interactions_emulator
# Official clients of the Interactions API that test the emulator, besides the client in $(VENV).
CONFORMANCE := $(EMULATOR)/tests/wire/conformance
CLIENTS := .venv-genai3/.ready $(if $(shell command -v npm),$(CONFORMANCE)/node_modules/.ready)

PYTEST := $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test web chat doctor lint format lock clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | awk -F '\t' '{printf "%-20s %s\n", $$1, $$2}'

demo: $(VENV)/.ready ## Show everything once, on the emulator; CORPUS=dir searches your own documents
	GOOGLE_GEMINI_BASE_URL= DESK_BACKEND=emulator DESK_DATA_DIR=$(abspath build/demo) $(BIN)/desk demo --out reports

test: $(VENV)/.ready-dev ## The test suite, with lint and types, without a network
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p build; $(BIN)/mypy >build/mypy.log 2>&1 & types=$$!; \
	$(PYTEST); failed=$$?; \
	wait $$types || failed=1; cat build/mypy.log; exit $$failed

.PHONY: coverage
coverage: $(VENV)/.ready-dev ## Run the test suite and list the lines that it does not reach; build/coverage/ has them as pages
	$(PYTEST) -q --cov --cov-report=term --cov-report=html:build/coverage

.PHONY: nightly
nightly: $(VENV)/.ready-dev $(CLIENTS) ## Run the long tests: those left out of `make test`, more random examples, all faults, chaos, evaluation and replicas
	$(BIN)/pytest -n 2 -m 'nightly or hypothesis' --hypothesis-profile nightly
	$(MAKE) faults chaos eval replicas

.PHONY: test-model
test-model: $(VENV)/.ready-dev .venv-model/.ready ## Test the emulator on a small real model, which compiles for minutes once
	REAL_MODEL_PYTHON=$(abspath .venv-model/bin/python) $(BIN)/pytest $(EMULATOR)/tests/model/test_real_model.py

web: $(VENV)/.ready ## Start the development UI in a browser
	@$(BIN)/desk check >/dev/null
	$(BIN)/adk web --session_service_uri windowed:// agents

chat: $(VENV)/.ready ## Start the desk in this terminal
	@$(BIN)/desk check >/dev/null
	@PYTHONWARNINGS=ignore $(BIN)/adk run --session_service_uri windowed:// agents/desk || \
	  echo "A research run that was started continues: \`$(BIN)/desk jobs\` lists it."

doctor: $(VENV)/.ready ## Check backend, keys, versions, ledger and services, and name what is missing
	$(BIN)/desk doctor

.PHONY: eval
eval: $(VENV)/.ready-dev ## Run the evaluation on the emulator; ARGS="--live --max-cost 2", ARGS="compare a b"
	$(BIN)/desk eval $(ARGS)

.PHONY: faults chaos
faults: $(VENV)/.ready-dev ## Run the fault matrix beside ADK's ManagedAgent, then random answers; ARGS=--markdown ANSWERS="--seed 7"
	$(BIN)/python -m tests.faults $(ARGS)
	$(BIN)/python -m tests.malformed_answers $(ANSWERS)

chaos: $(VENV)/.ready-dev ## Run random faults and kills; ARGS="--runs N --seed S --run K"
	$(BIN)/python -m tests.faults.chaos $(ARGS)

# ADK's own commands deploy agents/desk (with its requirements.txt), tools/ and configs/: see docs/deploy.md.
# Keys and the database's address come from Secret Manager; each NAME=VALUE in SETTINGS becomes a variable.
SERVICE ?= desk
BACKEND ?= gemini
KEY_SECRET ?= gemini-api-key
# With 0, the webhooks of research runs start an instance, which has CPU only during requests.
MIN_INSTANCES ?= 1
WORKERS ?= 1
comma := ,
BACKEND_gemini := DESK_BACKEND=gemini GOOGLE_GENAI_USE_ENTERPRISE=0
BACKEND_vertex := DESK_BACKEND=vertex GOOGLE_CLOUD_LOCATION=global
SECRETS := $(if $(filter gemini,$(BACKEND)),GEMINI_API_KEY=$(KEY_SECRET):latest) \
  $(if $(DATABASE_SECRET),DESK_DATABASE_URL=$(DATABASE_SECRET):latest) $(SECRET_SETTINGS)
PACKAGES := --extra_packages tools --extra_packages configs

.PHONY: deploy-cloud-run deploy-worker-pool deploy-agent-engine deploy-check
deploy-cloud-run: $(VENV)/.ready needs-place ## PROJECT=… REGION=… [BACKEND=vertex DATABASE_SECRET=… A2A=1 MCP=1 FOLLOW=0 MIN_INSTANCES=0 SETTINGS="…"]
	$(BIN)/adk deploy cloud_run --project $(PROJECT) --region $(REGION) --service_name $(SERVICE) --port 8080 $(PACKAGES) \
	  $(foreach setting,$(BACKEND_$(BACKEND)) $(SETTINGS),--env '$(setting)') agents/desk -- \
	  --command=python --args=-m,tools,serve$(if $(A2A),$(comma)--a2a)$(if $(MCP),$(comma)--mcp)$(if $(filter 0,$(FOLLOW)),$(comma)--no-follow) --timeout=3600 \
	  --min-instances=$(MIN_INSTANCES) $(if $(filter 0,$(MIN_INSTANCES) $(FOLLOW)),--cpu-throttling,--no-cpu-throttling) \
	  $(if $(strip $(SECRETS)),--set-secrets=$(subst $() ,$(comma),$(strip $(SECRETS)))) $(GCLOUD)

# Workers run the image of the service, which is deployed first with FOLLOW=0. They get the same keys and settings.
deploy-worker-pool: needs-place ## PROJECT=… REGION=… [WORKERS=2, and what `make deploy-cloud-run` had]
	gcloud run worker-pools deploy $(SERVICE)-work --project $(PROJECT) --region $(REGION) --instances=$(WORKERS) \
	  --image="$$(gcloud run services describe $(SERVICE) --project $(PROJECT) --region $(REGION) \
	    --format='value(spec.template.spec.containers[0].image)')" \
	  --command=python --args=-m,tools,work --set-env-vars='$(subst $() ,$(comma),$(strip $(BACKEND_$(BACKEND)) $(SETTINGS)))' \
	  $(if $(strip $(SECRETS)),--set-secrets=$(subst $() ,$(comma),$(strip $(SECRETS)))) $(GCLOUD)

# Agent Engine stores variables in plain text, so this target uses Vertex AI through the service account, without a key.
# This target does not read your .env.
deploy-agent-engine: $(VENV)/.ready-deploy needs-place ## PROJECT=… REGION=… [ID=… to update, SETTINGS="…" ARGS="…"]
	mkdir -p build && printf '%s\n' $(foreach setting,$(BACKEND_vertex) $(SETTINGS),'$(setting)') > build/agent-engine.env
	$(BIN)/adk deploy agent_engine --project $(PROJECT) --region $(REGION) --display_name $(SERVICE) \
	  --env_file $(abspath build/agent-engine.env) $(if $(ID),--agent_engine_id $(ID)) $(ARGS) agents/desk

deploy-check: $(VENV)/.ready-dev ## Install the staged tree as its Dockerfile says, start it and send requests
	rm -rf build/deploy && $(PYTHON) -m venv build/deploy
	build/deploy/bin/pip install --quiet pip==24.0 # the version in its image, python:3.11-slim
	build/deploy/bin/pip install --quiet "google-adk[a2a]==$$($(BIN)/adk --version | sed 's/.* //')"
	build/deploy/bin/pip install --quiet -c agents/desk/requirements.txt -r agents/desk/requirements.txt
	DESK_STAGED_PYTHON=$(abspath build/deploy/bin/python) $(BIN)/pytest -m '' tests/deploy

$(VENV)/.ready-deploy: $(VENV)/.ready agents/desk/requirements.txt
	$(call install,$(VENV)) $(LOCKED) agents/desk/requirements.txt
	touch $@

needs-place:
	@test -n "$(PROJECT)" -a -n "$(REGION)" || { echo "Set PROJECT and REGION, the place to deploy to."; exit 1; }
	@test -n "$(BACKEND_$(BACKEND))" || { echo "BACKEND is gemini or vertex, not $(BACKEND)."; exit 1; }

.PHONY: replicas
replicas: $(VENV)/.ready-dev ## Kill replicas under load, over PostgreSQL; ARGS="--replicas 4 --researches 500"
	$(BIN)/python -m tests.replicas $(ARGS)

.PHONY: bench
bench: $(VENV)/.ready-dev ## Compare the desk with plain ADK and SDK: a table, and build/bench.svg; ARGS="--only turn"
	$(BIN)/python -m tests.bench.speed $(ARGS)

.PHONY: bench-emulator
bench-emulator: $(VENV)/.ready-dev tests/bench/node_modules/.ready ## Compare the speed of the emulator with aimock (needs npm); ARGS="--documents 100000"
	$(BIN)/python -m tests.bench.emulator $(ARGS)

.PHONY: bench-slow-network
bench-slow-network: $(VENV)/.ready-dev ## Follow 1,000 research runs over a slow line with TLS (needs nginx); ARGS="--runs N --only TEXT"
	$(BIN)/python -m tests.bench.slow_network $(ARGS)

.PHONY: bench-dbos
bench-dbos: $(VENV)/.ready-dev .venv-dbos/.ready ## Count the paid creates after a SIGKILL, with DBOS and with the desk (docs/scaling.md)
	$(BIN)/python -m tests.bench.why_not_dbos .venv-dbos/bin/python

.PHONY: bench-installation
bench-installation: $(VENV)/.ready-dev ## Measure the installation, its size, and the start of commands (needs a package index)
	$(BIN)/python -m tests.bench.installation

.PHONY: bench-scaling
bench-scaling: $(VENV)/.ready-dev ## Show what 1, 10 and 1,000 replicas need; ARGS=--measure (docs/scaling.md)
	$(BIN)/python -m tests.bench.scaling $(ARGS)

.PHONY: conformance-clients conformance-live needs-key
conformance-clients: $(CLIENTS) ## Install the other versions of the official clients, for the conformance tests

conformance-live: needs-key $(VENV)/.ready-dev $(CLIENTS) ## Run the conformance flows against the real service; ARGS="--model M --research"
	@failed=0; \
	for python in $(BIN)/python .venv-genai3/bin/python; do $$python $(CONFORMANCE)/run.py --live $(ARGS) || failed=1; done; \
	for client in $(if $(shell command -v npm),genai-2 genai-3); do node $(CONFORMANCE)/run.mjs $$client --live $(ARGS) || failed=1; done; \
	exit $$failed

needs-key:
	@test -n "$$GEMINI_API_KEY" || { echo "This calls the real service, which needs a key: set GEMINI_API_KEY."; exit 1; }

.PHONY: schema-check
schema-check: $(VENV)/.ready-dev ## Compare the names that the emulator knows with the newest SDKs (needs npm)
	cd $(EMULATOR)/tests && $(abspath $(BIN))/python -m schema --folder $(abspath build/schema)

lint: $(VENV)/.ready-dev ## Run ruff and mypy without changes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready-dev ## Fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

COMPILE := pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host \
  --no-emit-find-links --no-header
# The emulator comes from its folder, not from an index: its wheel tells what it needs, and the locks leave it out itself.
OF_PROJECT := --find-links build/wheels --unsafe-package interactions-emulator --build-deps-for editable pyproject.toml
lock: ## Resolve the dependencies again (needs pip-tools)
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir build/wheels ./$(EMULATOR)
	$(COMPILE) $(addprefix --extra ,a2a dev documents emulator eval mcp notices postgres) --output-file requirements-dev.lock $(OF_PROJECT)
	$(COMPILE) --extra emulator --constraint requirements-dev.lock --output-file requirements.lock $(OF_PROJECT)
	$(COMPILE) --extra deploy --constraint requirements-dev.lock --no-annotate --output-file agents/desk/requirements.txt $(OF_PROJECT)
	cd $(CONFORMANCE) && $(COMPILE) --output-file genai-3.lock genai-3.in
	cd $(EMULATOR)/tests/model && $(COMPILE) --output-file real.lock real.in
	cd $(CONFORMANCE) && npm install --package-lock-only --ignore-scripts

clean: ## Remove what was installed and built
	rm -rf $(VENV) .venv-dbos .venv-genai3 .venv-model $(CONFORMANCE)/node_modules tests/bench/node_modules build reports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Set PYTHON, for example PYTHON=python3.11."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A lock lists every package. Without --no-deps, pip 23 looks for more, and fails at the newest release of packages with extras.
# --no-compile halves the time of an installation: Python compiles modules when they are first imported.
# uv, if it is there, installs the same lock with the same hashes, in a fraction of the time.
UV := $(shell command -v uv)
install = $(if $(UV),$(UV) pip install --quiet --python $(1)/bin/python,$(1)/bin/pip install --quiet --disable-pip-version-check --no-compile) --no-deps
EDITABLE = $(call install,$(VENV)) --no-build-isolation --config-settings editable_mode=compat
LOCKED := --require-hashes -r

$(VENV)/.ready: requirements.lock pyproject.toml $(EMULATOR)/pyproject.toml | $(VENV)/bin/python
	$(call install,$(VENV)) $(LOCKED) requirements.lock
	$(EDITABLE) -e ./interactions_emulator -e .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock pyproject.toml $(EMULATOR)/pyproject.toml | $(VENV)/bin/python
	$(call install,$(VENV)) $(LOCKED) requirements-dev.lock
	$(EDITABLE) -e ./interactions_emulator -e .
	@touch $@ $(VENV)/.ready

.venv-genai3/.ready: $(CONFORMANCE)/genai-3.lock | $(VENV)/bin/python
	$(BIN)/python -m venv .venv-genai3
	$(call install,.venv-genai3) $(LOCKED) $<
	@touch $@

.venv-dbos/.ready: | $(VENV)/bin/python
	$(BIN)/python -m venv .venv-dbos
	.venv-dbos/bin/pip install --quiet --disable-pip-version-check dbos==3.4.0
	@touch $@

.venv-model/.ready: $(EMULATOR)/tests/model/real.lock | $(VENV)/bin/python
	$(BIN)/python -m venv .venv-model
	$(call install,.venv-model) $(LOCKED) $<
	@touch $@

%/node_modules/.ready: %/package-lock.json %/package.json
	npm ci --prefix $* --ignore-scripts --silent && touch $@ || echo "npm could not install $*: everything that needs it is skipped"
