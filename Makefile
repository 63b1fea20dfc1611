# Two commands matter: `make run` and `make test`. Both set the environment up where needed.

PYTHON ?=
QUICK ?=
ONLY ?=
UV := .uv/bin/uv
CASEGATE := .venv/bin/casegate
PYTEST := .venv/bin/python -m pytest
WORKSPACE ?= workspace
OF ?=
EXPORTS := components/exports
TFJS := build/tfjs
FLOWER := pipeline/federation/flower
PURE := not slow and not tensorflow and not process and not store

# Byte code is compiled once, at installation; importing TFX takes three times as long without.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all test-next test-flink tfjs flower check lint bench gate-oc mutants shape schemas reference lock clean help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/.synced  ## the whole pipeline on the embedded data, to a verdict
	$(CASEGATE) run --data phantom --workspace $(WORKSPACE)

test: lint  ## what every commit must pass
	$(PYTEST) tests -m "not slow" -n 2 --dist loadfile --durations=10

test-all: lint  ## test, and the slower proof
	$(PYTEST) tests -n 2 --dist loadfile --durations=20

test-next:  ## make run and make test on the newest Python, in a Debian 13 root where needed
	sh tests/next.sh

test-flink: .venv/.synced $(if $(CASEGATE_FLINK_JOB_SERVER),build/flink)  ## a whole run on a cluster of Flink's
	$(PYTEST) tests/e2e/test_flink.py --durations=5

tfjs: $(TFJS)/python/.synced $(TFJS)/ask.cjs $(TFJS)/ask_page.js $(TFJS)/reader.js  ## what exports for the browser need: a converter, and scorers

flower: build/flower/.synced  ## what federated training needs: Flower, in an environment of its own

check: lint  ## lint and the tests that need neither TensorFlow nor processes
	$(PYTEST) tests -m "$(PURE)" -q -n 2 --dist loadfile

lint: .venv/.synced  ## style, types, import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy pipeline components
	.venv/bin/lint-imports

bench: .venv/.synced  ## the figures of docs/benchmarks.md; QUICK=1 at small sizes, ONLY=judging for a part
	.venv/bin/python -m tests.bench.run $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

gate-oc: .venv/.synced  ## how often the policies pass honest retrainings and block damaged ones
	.venv/bin/python -m tests.measure.collect
	.venv/bin/python -m tests.measure.operating_characteristics --write

mutants: .venv/.synced  ## whether the tests see a change of what decides; OF=components/statistics/auc.py for a part
	.venv/bin/python tests/measure/mutants.py $(OF)

shape: .venv/.synced  ## how the product is built, in figures
	.venv/bin/python -m tests.measure.shape

schemas: .venv/.synced  ## schemas/config.json, made of the dataclasses that hold the settings
	.venv/bin/python -m tests.schemas

reference: schemas  ## the pages under docs/reference, made of the code and the schemas
	.venv/bin/python -m tests.reference

lock: $(UV)  ## resolves the dependencies of setup.py anew
	$(UV) lock

clean:  ## removes the environments and what runs left in the checkout
	rm -rf .venv .uv workspace build *.egg-info

# On the newest Python that the machine can carry; PYTHON=3.12, or a path, chooses another.
.venv/.synced: setup.py pyproject.toml uv.lock | $(UV)
	@sh environment.sh sync $(UV) "$(PYTHON)"
	@touch $@

# Flink's jars, which only a test needs; they have no scripts.
build/flink: tests/e2e/flink.txt | $(UV)
	$(UV) pip install --quiet --python .venv/bin/python --target $@ --no-deps --require-hashes -r $<
	@touch $@

# By a lock file of its own; build/flower is where pipeline/federation looks for it.
build/flower/.synced: $(FLOWER)/pyproject.toml $(FLOWER)/uv.lock .venv/.synced
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/build/flower $(UV) sync --quiet --frozen --compile-bytecode \
	  --project $(FLOWER) --python .venv/bin/python
	@touch $@

# Both by lock files of their own; build/tfjs is where components/exports looks for them.
$(TFJS)/python/.synced: $(EXPORTS)/converter/pyproject.toml $(EXPORTS)/converter/uv.lock .venv/.synced
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/$(TFJS)/python $(UV) sync --quiet --frozen --compile-bytecode \
	  --project $(EXPORTS)/converter --python .venv/bin/python
	@touch $@

$(TFJS)/node_modules/.synced: $(EXPORTS)/javascript/package.json $(EXPORTS)/javascript/package-lock.json
	mkdir -p $(TFJS) && cp $^ $(TFJS)
	npm ci --prefix $(TFJS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

BUNDLE = NODE_PATH=$(TFJS)/node_modules $(TFJS)/node_modules/.bin/esbuild --bundle --minify \
  --target=es2022 --legal-comments=none --log-level=warning --loader:.wasm=binary

$(TFJS)/ask.cjs: $(TFJS)/node_modules/.synced $(wildcard $(EXPORTS)/javascript/*.js)
	$(BUNDLE) --platform=node --format=cjs --outfile=$@ $(EXPORTS)/javascript/ask.js

$(TFJS)/ask_page.js: $(TFJS)/node_modules/.synced $(wildcard $(EXPORTS)/javascript/*.js)
	$(BUNDLE) --platform=browser --format=iife --external:fs --external:path --outfile=$@ \
	  $(EXPORTS)/javascript/ask_page.js

# The script of the offline reader; the licences of its parts go with it.
$(TFJS)/reader.js: $(TFJS)/node_modules/.synced $(wildcard $(EXPORTS)/javascript/*.js $(EXPORTS)/javascript/reader/*.js)
	$(BUNDLE) --platform=browser --format=iife --external:fs --external:path --legal-comments=eof \
	  --outfile=$@ $(EXPORTS)/javascript/reader/page.js

# A private uv, so that nothing but a Python with pip has to be on the machine.
$(UV):
	@sh environment.sh uv $(UV)
