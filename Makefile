# One readable line each; `make` alone lists them. Everything happens in .venv, made from requirements.lock.

PORT  ?= 8000
SIZE  ?= 5000
BENCH ?=
MUTANTS ?=
ROUNDS ?=
KILLS ?= 1000
FAULT ?=
CLUSTER ?=
VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.ready
# What works without any extra: run again with Esteio's wheel installed alone.
CORE  := $(wildcard esteio/tests/test_*.py esteio/tests/policy)

# A file after the other in each process, in the order of conftest.py. What breaks something, and a browser, wait more than they
# compute: beside what breaks nothing they cost a machine little, so `test` runs both together, in four processes. A test that
# measures how long an outage lasts runs alone.
FILES := $(PY) -m pytest --dist loadfile --no-loadscope-reorder --numprocesses
QUIET := $(FILES) 3 -m "not fault and not browser"
WAITING := $(FILES) 3
TOGETHER := $(FILES) 4
# Of the files that break something: to collect all the others, too, takes ten seconds.
TIMED = $(PY) -m pytest -m "fault and not untimed" $(shell grep -rl --include='test_*.py' 'mark\.fault' esteio/tests sispat/tests)

# Where it is set, each process compiles all sources and rewrites the assertions of all tests again: 28 s of a processor
# instead of 11, for each process of pytest.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run drill test lint types contracts unit fault rounds histories browser alone versions bench mutants lock docs messages clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(STAMP)  ## start SISPAT with an invented city at http://127.0.0.1:8000 (PORT=8123, SIZE=5000)
	@SISPAT_DATA_DIR="$${SISPAT_DATA_DIR:-$(CURDIR)/.sispat}" exec $(VENV)/bin/sispat serve --demo --port $(PORT) --size $(SIZE)

drill: $(STAMP)  ## break a SISPAT of its own in every way, under load, and say what was lost (ROUNDS=10, FAULT=name, CLUSTER=1: three machines)
	@$(if $(CLUSTER),.ci/postgres-minor)
	@$(VENV)/bin/sispat drill $(FAULT) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CLUSTER),--cluster)

test: lint types contracts $(STAMP)  ## everything that has to pass: the checks above the tests, all tests, the core alone
	@.ci/debian
	@.ci/azurite
	@.ci/axe
	@.ci/chromium; case $$? in 0) $(TOGETHER) -m "not fault or untimed" ;; 3) $(TOGETHER) -m "not browser and (not fault or untimed)" ;; *) exit 1 ;; esac
	@$(TIMED)
	@$(MAKE) --no-print-directory alone

lint: $(STAMP)  ## ruff: rules and format; whether what is generated is current
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m tools.async_to_sync --check

types: $(STAMP)  ## mypy --strict on both packages
	@$(PY) -m mypy

contracts: $(STAMP)  ## who may import whom
	@$(VENV)/bin/lint-imports

unit: $(STAMP)  ## only the tests that break nothing and need no browser
	@$(QUIET)

fault: $(STAMP)  ## only the tests that break a running system on purpose
	@.ci/debian
	@.ci/azurite
	@$(WAITING) -m "fault and untimed"
	@$(TIMED)

rounds: $(STAMP)  ## the tests that kill at random moments, with their full counts, and the image: half an hour
	@SISPAT_IMAGE=1 .ci/debian
	@.ci/azurite
	@.ci/axe
	@ESTEIO_ROUNDS=200 ESTEIO_LOSS_ROUNDS=20 ESTEIO_BACKUP_INTERRUPTS=20 ESTEIO_NOTICE_KILLS=20 ESTEIO_KILLS=100 \
	ESTEIO_WAL_FAULTS=200 ESTEIO_SLO_MONTH=1 ESTEIO_LIMIT_KEYS=1000000 SISPAT_RESTORE_KILLS=5 SISPAT_MOVEMENT_ROUNDS=100 SISPAT_UPLOAD_KILLS=20 \
	SISPAT_CLOSING_KILLS=50 SISPAT_DEPRECIATION_EXAMPLES=1000 SISPAT_EDGE_STRINGS=100 SISPAT_CONTRACT_EXAMPLES=20 \
	SISPAT_AXE_NIGHTS=1 SISPAT_IMAGE=1 SISPAT_LIST_ROWS=200000 $(PY) -m pytest --timeout 1800 -rA esteio/tests/postgres/test_outages.py \
	esteio/tests/backup/test_physical_loss.py esteio/tests/backup/test_wal_faults.py esteio/tests/backup/test_backup_cli.py esteio/tests/alert/test_alert_outbox.py esteio/tests/alert/test_alert_monitor.py esteio/tests/alert/test_objectives.py \
	esteio/tests/limit/test_limit_host_processes.py esteio/tests/limit/test_limit_memory.py sispat/tests/faults/test_restauracao.py \
	sispat/tests/movimentacoes/test_corridas.py sispat/tests/imoveis/test_corridas_de_imoveis.py sispat/tests/faults/test_sispat_faults.py \
	sispat/tests/faults/test_closing_killed.py sispat/tests/depreciacao/test_closing_model.py sispat/tests/http/test_edge.py \
	sispat/tests/http/test_contrato.py sispat/tests/ui/test_navegador_acessivel.py sispat/tests/kernel/test_planos_das_listas.py \
	sispat/tests/faults/test_container.py

histories: $(STAMP)  ## clients of the pool and of SISPAT's API under KILLS random faults; what they saw is checked (KILLS=1000)
	@ESTEIO_HISTORIES=$(KILLS) SISPAT_KILLS=$(KILLS) $(PY) -m pytest --timeout 7200 esteio/tests/drill/test_histories.py sispat/tests/faults/test_historias.py

browser: $(STAMP)  ## only the tests that drive a real browser
	@.ci/axe
	@.ci/chromium && $(WAITING) -m browser

alone: $(STAMP)  ## Esteio's wheel, installed alone in a clean environment, passes its core tests
	@PY=$(PY) .ci/alone $(CORE)

versions:  ## all tests on Python 3.12, 3.13 and 3.14, as far as they are installed (VERSIONS=3.13)
	@.ci/versions

bench: $(STAMP) $(VENV)/.peers  ## measure against the peers, which it installs: all, or one with BENCH=name
	@set -e; for each in $(if $(BENCH),$(BENCH),$(filter-out report,$(basename $(notdir $(wildcard benchmarks/*.py))))); do $(PY) -m benchmarks.$$each; done

kills: $(STAMP)  ## kill the operator 1,000 times while channels misbehave: no notice is lost (KILLS=100); half an hour
	@$(PY) -m benchmarks.alert --only kills --kills $(KILLS)

mutants: $(STAMP)  ## change one thing in what decides, and a test must fail (MUTANTS=breaker PROCESSES=1)
	@$(PY) -m tools.mutants $(MUTANTS)

lock: $(STAMP)  ## pin every dependency anew, with hashes
	@PY=$(PY) .ci/lock

docs: $(STAMP)  ## write the pages that are made from code
	@$(PY) -c 'from sispat.settings import reference_page; print(reference_page(), end="")' > docs/reference/settings.md
	@$(PY) -m tools.commands > docs/reference/sispat-commands.md
	@$(PY) -c 'from esteio.metrics import reference_page; print(reference_page(), end="")' > docs/reference/metrics.md
	@$(PY) -c 'from esteio.alert.monitor import reference_page; print(reference_page(), end="")' > docs/reference/alerts.md
	@$(PY) -c 'from esteio.watch import reference_page; print(reference_page(), end="")' > docs/reference/watch.md
	@$(PY) -m sispat metrics rules > deploy/prometheus/rules.yml
	@$(PY) -m sispat metrics dashboard > deploy/grafana/dashboards/sispat.json

messages: $(STAMP)  ## bring the English catalogue of SISPAT up to date with its sources; lists what has no translation
	@$(PY) -m tools.messages

clean:  ## remove the environment, builds and caches; data in .sispat stays
	@rm -rf $(VENV) .venv-* build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find esteio sispat benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.peers: benchmarks/requirements.txt $(STAMP)
	@.ci/peers $(PY)
	@touch $@

$(STAMP): requirements.lock esteio/pyproject.toml sispat/pyproject.toml
	@.ci/environment $(VENV)
	@touch $@
