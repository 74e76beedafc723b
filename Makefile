# One command for each thing: `make` lists them. Everything runs in .venv, from requirements.lock (hashes, no addresses).

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.kolleno-installed
CODE := kolleno_pipelines tests benchmarks
# Test processes beside each other, a PostgreSQL each: tests wait much, so that four keep two cores busy. 0: one process.
TEST_WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test check contracts bench lock clean

help:
	@echo "make demo    run everything on embedded parts and open the UI (DEMO_ARGS=--no-ui ends by itself)"
	@echo "make test    run the tests (TEST_ARGS='tests/unit -k ageing' picks some)"
	@echo "make check   format, lint, types, layers, definitions"
	@echo "make contracts CONTRACTS=folder   check the sandbox vendors' answers against the vendors' own schemas"
	@echo "make bench   measure, and write benchmarks/results.json (BENCH=new_rows picks a line)"
	@echo "make setup   only make .venv; make lock: resolve the dependencies again; make clean: remove what was made"

setup: $(STAMP)

# The first Python of 3.11 or newer; PYTHON=/path/to/python chooses another.
$(BIN)/python:
	@found=; \
	for name in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV) || { \
	    rm -rf $(VENV); echo "$$found cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(STAMP): $(BIN)/python requirements.lock pyproject.toml
	@echo "Installing the locked dependencies (a minute or two, once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	@$(BIN)/kolleno demo $(DEMO_ARGS)

# Empty: pytest and the commands keep what they compile, wherever that is turned off; each process would compile it again.
test: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not nightly" -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_definitions.py

# The vendors' published schemas are not part of this repository: CONTRACTS/xero/xero_accounting.yaml is Xero's OpenAPI file,
# CONTRACTS/stripe/fixtures3.json Stripe's sample objects.
contracts: $(STAMP)
	@CONTRACTS='$(CONTRACTS)' $(BIN)/python -m pytest -rs tests/contract/test_*_schema.py

bench: $(STAMP)
	@$(BIN)/python -m benchmarks $(BENCH) $(BENCH_ARGS)

# uv resolves for every platform and Python at once; it is needed for this target alone. pip's --require-hashes wants
# the extras (gql[requests]) in the lock.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras \
	    --no-emit-index-url --extra dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
