# PingLian 瓶链. `make` alone lists what can be made.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8000
SCALE_PORT ?= 1502
DATA ?= .data
MINUTES ?= 60
CYLINDERS ?= 5000
SAMPLE ?= 100
SECONDS ?= 60
ENTRIES ?= 1000000
WORKERS ?= auto
ONLY ?=
AGAINST ?=
INTO ?=
PY := .venv/bin/python

# Nothing of another Python project may leak into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Tests start hundreds of processes; with nothing compiled kept, each compiles every package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo serve scales station test proxy lint types contracts load bench bench-large growth damage soak fuzz fuzz-api mutants openapi wheels lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## make .venv from requirements.lock (quick when nothing changed)
	@$(PYTHON) tools/set_up.py

demo: setup ## the main job, from code to audit, in under a minute
	@$(PY) tests/end_to_end/demo

serve: setup ## the service with demo data on 127.0.0.1 (PORT=8000 DATA=.data CYLINDERS=5000)
	@exec .venv/bin/cylinder-api serve --demo --data "$(DATA)" --port "$(PORT)" --cylinders "$(CYLINDERS)"

scales: setup ## a filling scale to try, in a second terminal beside `make serve` (SCALE_PORT=1502)
	@$(PY) tools/try_station.py scales --data "$(DATA)" --scale-port "$(SCALE_PORT)"

station: setup ## the station agent at that scale, in a third terminal (PORT=8000 DATA=.data SCALE_PORT=1502)
	@$(PY) tools/try_station.py station --data "$(DATA)" --url "http://127.0.0.1:$(PORT)" --scale-port "$(SCALE_PORT)"

test: setup ## every test, in several processes (WORKERS=auto)
	@$(PY) -m pytest -n "$(WORKERS)" --dist loadfile --no-loadscope-reorder

proxy: setup ## the nginx files before a real service; needs an nginx on the machine
	@$(PY) -m pytest tests/with_nginx

lint: setup ## ruff: rules and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: setup ## mypy, strict
	@$(PY) -m mypy

contracts: setup ## who may import whom
	@.venv/bin/lint-imports

load: setup ## everybody's load for a minute, then an audit (LEVEL=day|average|peak|storm HOME_DB=postgres|sqlite CYLINDERS=5000)
	@$(PY) loadtests/load

bench: setup ## measure (ONLY=prefix of a row's name, AGAINST=latest.json of an earlier run)
	@$(PY) loadtests/benchmarks $(if $(ONLY),--only "$(ONLY)") $(if $(AGAINST),--against "$(AGAINST)")

bench-large: setup ## measure the rows that need a large size, some 3 GB of disk (ONLY, AGAINST as above)
	@$(PY) loadtests/benchmarks --large $(if $(ONLY),--only "$(ONLY)") $(if $(AGAINST),--against "$(AGAINST)")

growth: setup ## how the figures grow with the ledger, drawn into docs/pictures (ENTRIES=1000000)
	@$(PY) loadtests/benchmarks --growth "$(ENTRIES)" --pictures docs/pictures

damage: setup ## how much damage a label stands, by two foreign decoders (INTO=docs/damage.md)
	@$(PY) tests/damaged_labels $(if $(ONLY),--only "$(ONLY)") $(if $(INTO),--into "$(INTO)")

soak: setup ## the same laws in large numbers (MINUTES=60), resumable
	@$(PY) tests/end_to_end/soak --minutes "$(MINUTES)"

fuzz: setup ## coverage-guided fuzzing of the scan reader (SECONDS=60); Linux x86_64
	@$(PY) tests/fuzz/fuzz_reading.py --seconds "$(SECONDS)"

fuzz-api: setup ## Schemathesis over every operation of the service (SECONDS=60)
	@$(PY) tests/fuzz/fuzz_api.py --seconds "$(SECONDS)"

mutants: setup ## change the rules one operator at a time (SAMPLE=100): does a test notice?
	@$(PY) tools/mutants.py --sample "$(SAMPLE)"

openapi: setup ## docs/openapi.json and docs/problems.md as the code says now
	@$(PY) tools/contract.py

wheels: setup ## dist/wheels: our four wheels and all they depend on, for this platform
	@$(PY) tools/wheels.py

lock: setup ## take newer versions into requirements.lock (needs the package index)
	@$(PY) tools/lock.py

clean: ## remove what was made, keep .venv and the data
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
