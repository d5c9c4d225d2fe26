# Each verb does all of its own set-up: from a clean clone, `make run` or `make test`
# needs Python 3.11 or newer and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
comma := ,
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

.PHONY: help
help: ## list the verbs
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) \
	  | awk -F '\t' '{ printf "make %-11s %s\n", $$1, $$2 }'

## Set-up

.PHONY: setup
setup: $(DEV) ## make .venv with everything that developing needs

$(BIN)/python:
	@python=; for name in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "amends needs Python 3.11 or newer: install it (Debian: python3.11 and python3.11-venv)" >&2; \
	  echo "and, if it is not on the path, say where: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot make virtual environments: install the package python$$version-venv" >&2; \
	  echo "(Debian, Ubuntu: apt-get install python$$version-venv) and start again" >&2; \
	  exit 1; \
	fi; \
	echo "making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)

$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	@$(call install,requirements/run.txt)
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(call install,requirements/dev.txt)
	@touch $@ $(RUN)

# Nothing is installed whose hash is not in the lock; amends itself is built from the
# checkout with the locked hatchling.
define install
echo "installing $(1)"; \
$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r $(1) \
&& $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
  --no-deps --no-build-isolation --editable .
endef

## Use

.PHONY: run
run: $(RUN) ## start amends on 127.0.0.1:8080 (AMENDS_PORT, AMENDS_DATA); Ctrl-C ends it
	@exec $(BIN)/amends up

.PHONY: demo
demo: $(RUN) ## make two years of invented complaints in amends-demo, and serve them
	@AMENDS_DATA="$${AMENDS_DATA:-amends-demo}" exec $(BIN)/amends demo $(if $(STORY),--story $(STORY))

## Proof

# In the order of the folders: what starts programs comes before the small unit tests,
# so that no worker is left alone with a long file at the end.
.PHONY: test
test: $(DEV) ## run every test; COVERAGE=1 measures branches too, at half the speed
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder \
	  $(if $(COVERAGE),--cov --cov-report=term)
	$(if $(COVERAGE),$(BIN)/coverage report --fail-under=95 \
	  --include='events/*$(comma)services/*/domain/*$(comma)services/*/application/*')

.PHONY: check
check: lint types imports docs ## everything that needs no running: lint, types, imports, docs, lock
	$(BIN)/python -m pip check --disable-pip-version-check

.PHONY: lint
lint: $(DEV) ## ruff's rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: format
format: $(DEV) ## let ruff format and mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(DEV) ## mypy, strict
	$(BIN)/mypy

.PHONY: imports
imports: $(DEV) ## who may import whom
	$(BIN)/lint-imports

## Promises: each prints its line; CONTROL=1 takes the protection away, SIZE=night is more

PROMISE = $(BIN)/python -m bench.$(1) --size $(or $(SIZE),ci) $(if $(CONTROL),--control) \
  $(if $(SEED),--seed $(SEED))

FAULT = $(BIN)/python -m tests.faults.$(1) --size $(or $(SIZE),ci) \
  $(if $(CONTROL),--control) $(if $(SEED),--seed $(SEED))

.PHONY: p1
p1: $(DEV) ## no receipt is lost by a crash, whatever is killed
	$(call FAULT,p01)

.PHONY: p3
p3: $(DEV) ## one case for a complaint, one effect for an event, however often they come
	$(call FAULT,p03)

.PHONY: p5
p5: $(DEV) ## what cannot be kept is refused: failed flushes, full disks, broker and database down
	$(call FAULT,p05)

.PHONY: p6
p6: $(DEV) ## back in seconds after a kill, and what gathered meanwhile is worked off
	$(call FAULT,p06)

.PHONY: p2
p2: $(DEV) ## no receipt is lost by a power cut (wants /dev/fuse and libfuse)
	$(call FAULT,p02)

.PHONY: p4
p4: $(DEV) ## events are in order and no reader skips one, while writers are killed
	$(call FAULT,p04)

.PHONY: p8
p8: $(DEV) ## what every release wrote is read, and every projection can be made anew
	$(call FAULT,p08)

.PHONY: p7
p7: $(DEV) ## one bad message never holds up the others
	$(call FAULT,p07)

.PHONY: p10
p10: $(DEV) ## a person's data can be erased, the history still proves itself
	$(call PROMISE,p10)

.PHONY: p11
p11: $(DEV) ## a backup taken under load comes back, and no reader skips an event
	$(call FAULT,p11)

.PHONY: p12
p12: $(DEV) ## everybody sees what is theirs to see, and nothing else
	$(call PROMISE,p12)

.PHONY: p15
p15: $(DEV) ## upgraded and rolled back under load without a refused receipt
	$(call FAULT,p15)

.PHONY: takeover
takeover: $(DEV) ## the second machine takes over, with every receipt
	$(call FAULT,takeover)

.PHONY: p16
p16: $(DEV) ## amends carries a country on two cores
	$(call FAULT,p16)

.PHONY: p17
p17: $(DEV) ## the broker may lose everything, and we do not
	$(call FAULT,p17)

.PHONY: simulation
simulation: $(DEV) ## a thousand lives of the services, with faults drawn by a seed
	$(call FAULT,simulation)

.PHONY: words
words: $(DEV) ## finding by words does not slow down handing in
	$(call PROMISE,words)

.PHONY: importing
importing: $(DEV) ## memory stays flat while a file is read; the rate beside a bare loader
	$(call PROMISE,importing)

## Figures: ratios to yardsticks of the same run; SUITE=append,load for some, SEED=n again

BENCH = $(BIN)/python -m bench $(if $(SUITE),--suite $(SUITE)) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(DEV) ## measure beside limits and peers; figures in build/bench.json
	$(BENCH)

.PHONY: bench-quick
bench-quick: $(DEV) ## the same with little work: its checks and counts decide, no times
	$(BENCH) --quick

.PHONY: bench-page
bench-page: $(DEV) ## write docs/reference/performance.md from build/bench.json
	$(BIN)/python -m bench.page

FAULTS = $(BIN)/python -m tests.faults $(if $(CONTROL),--control) $(if $(SEED),--seed $(SEED))

.PHONY: faults
faults: $(DEV) ## every promise under its faults, one after the other: build/faults.json
	$(FAULTS) --size $(or $(SIZE),ci)

.PHONY: faults-night
faults-night: $(DEV) ## the same at the sizes that are published, each with its control
	$(FAULTS) --size night --control

## Made files

.PHONY: schemas
schemas: $(DEV) ## write schemas and reference pages again, from the code
	$(BIN)/python -m events.schemas
	$(BIN)/python -m events.reference docs/reference/events.md
	$(BIN)/python -m tests.support.reference_pages
	@git diff --stat -- events/schemas docs/reference

.PHONY: docs
docs: $(DEV) ## build the documentation into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: docs-serve
docs-serve: $(DEV) ## show the documentation while writing it
	$(BIN)/mkdocs serve

.PHONY: lock
lock: $(DEV) ## choose newest versions again: requirements/*.txt
	$(LOCK) --upgrade --extra build --output-file requirements/run.txt
	$(LOCK) --upgrade --extra dev --constraints requirements/run.txt \
	  --output-file requirements/dev.txt

.PHONY: clean
clean: ## remove what these verbs made, never your data
	rm -rf $(VENV) site build dist .coverage .hypothesis .import_linter_cache \
	  .mypy_cache .pytest_cache .ruff_cache
