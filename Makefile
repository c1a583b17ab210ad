# Every target does its own set-up: Python >= 3.11, Go and the package registries are all it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINE ?= simulated
DEVICE ?= cpu
MODE ?= reload
KEEP ?=
export PYTHONUNBUFFERED := 1

.PHONY: help install tools demo test test-faults test-vllm check lint types contracts crds lock golden bench site dist image krew clean

help: ## show this list
	@echo "Breakeven: the two commands of a newcomer are 'make demo' and 'make test'."
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## create .venv from the lock file and install the breakeven command
$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than 3.11; run make with PYTHON=/path/to/python3.11 or newer" >&2; exit 1; }
	@echo "install: creating $(VENV) from requirements-dev.lock (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

tools: install ## build etcd, kube-apiserver, …, Prometheus, Helm once into the per-user cache
	@$(BIN)/python -m breakeven.lab.tools --set test

demo: install ## the main story on the embedded lab; KEEP=1 leaves it up, MODE=warm switches in seconds, ENGINE=vllm uses a real vLLM on CPU, DEVICE=cuda yours on two GPUs
	@$(BIN)/breakeven demo --engine $(ENGINE) --device $(DEVICE) --mode $(MODE) $(if $(KEEP),--keep)

lint: install
	@echo "check: ruff, yamllint"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && $(BIN)/yamllint --strict crds manifests charts/breakeven/values.yaml

types: install
	@echo "check: mypy --strict"
	@$(BIN)/mypy

contracts: install
	@echo "check: import contracts"
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

check: lint types contracts ## lint, types and import contracts

test: check tools ## everything CI runs: checks, unit, golden, component and end-to-end tests
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not vllm and not faults" $(PYTEST_ARGS)

test-faults: tools ## break what the operator stands on, one thing after the other; prints what held and how long recovery took
	@$(BIN)/pytest -m faults tests/faults tests/component $(PYTEST_ARGS)

test-vllm: tools ## the story and a measurement on a real vLLM (CPU build, about 7 GB in the per-user cache the first time)
	@$(BIN)/pytest -m vllm -s $(PYTEST_ARGS)

crds: install ## regenerate crds/, the chart's copy and the field reference from the models
	@$(BIN)/breakeven crd --write .

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
lock: install ## pin every dependency anew, with hashes: what the image installs, and what development adds
	@$(LOCK) --extra aws --extra google -o requirements.lock
	@$(LOCK) --extra aws --extra google --extra dev -o requirements-dev.lock

golden: install ## rewrite the golden files; read the diff before you commit it
	@$(BIN)/pytest -q tests/unit tests/golden --update-golden

bench: install ## print every benchmark table of the README
	@for b in benchmarks/[a-z]*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

site: install ## the documentation as pages in build/site, which need no network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet -f website/mkdocs.yml
	@echo "site: build/site/index.html"

dist: install ## build what a release consists of into dist/: wheel, source archive, chart package, checksums
	@rm -rf dist && mkdir dist
	@$(BIN)/python -m hatchling build -d dist
	@$$($(BIN)/python -m breakeven.lab.tools --set helm | awk '{print $$2}') package charts/breakeven -d dist
	@cd dist && sha256sum * | tee SHA256SUMS

image: install ## the operator's image as an OCI archive in dist/, without a registry, and its list of parts; as root, with buildah and mmdebstrap
	@mkdir -p dist && rm -f dist/breakeven-*.whl && $(BIN)/python -m hatchling build -t wheel -d dist
	@image/build.sh dist/breakeven-*.whl dist

krew: install ## pack kubectl breakeven for krew into dist/; URI=https://… is where the archive will be downloaded from
	@mkdir -p dist && $(BIN)/python -m hatchling build -t wheel -d dist
	@$(BIN)/python manifests/krew/package.py dist/breakeven-*.whl "$(or $(URI),https://example.com)" dist

clean: ## remove .venv and caches of this checkout (not the per-user tool cache)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
