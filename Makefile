# Every target sets up what it needs from nothing: the virtual environment, PostgreSQL (a wheel), Stripe (the stand-in).
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo smoke pgbouncer test kill fuzz lint bench lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/installed ## Run a marketplace on this machine: http://127.0.0.1:8000
	$(BIN)/python manage.py demo

smoke: .venv/installed ## Tell the same story without a page, check it, and print one JSON line
	@$(BIN)/python manage.py smoke

# Not a wheel. Where it is missing and may not be installed, the tests that need it are skipped, and say so.
pgbouncer:
	@PATH="$$PATH:/usr/sbin"; command -v pgbouncer >/dev/null || { \
		test "$$(id -u)" = 0 || sudo="sudo -n"; \
		$$sudo apt-get update && $$sudo apt-get install --yes pgbouncer; \
	} >/dev/null 2>&1 </dev/null || true

test: .venv/installed pgbouncer ## Run every test, on two processes, with branch coverage
	$(BIN)/python -m pytest --numprocesses 2 --cov --cov-report term

kill: .venv/installed ## Kill processes and PostgreSQL while events come in, and count that none is lost
	$(BIN)/python -m tests.connect.kill
	KILL_PROCESSING=inline $(BIN)/python -m tests.connect.kill 5000

fuzz: .venv/installed ## Send the webhooks twenty times as much nonsense as `make test` does
	FUZZ_EXAMPLES=2000 $(BIN)/python -m pytest tests/connect/test_fuzz.py

lint: .venv/installed ## Ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.venv-djstripe/installed: bench/djstripe-requirements.lock
	$(PYTHON) -m venv .venv-djstripe
	.venv-djstripe/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@

bench: .venv/installed .venv-djstripe/installed ## Measure against COPY, dj-stripe, django-tenants, and no wall
	$(BIN)/python -m bench

# With their extras: pip would take the newest release of what only another package asks for with one, and refuse it.
lock: .venv/installed ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --upgrade \
		--no-emit-index-url --no-header --group dev pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
		--no-emit-index-url --no-header bench/djstripe-requirements.in \
		--output-file bench/djstripe-requirements.lock

clean: ## Remove the virtual environments and the demo's data
	rm -rf .venv .venv-* .data
