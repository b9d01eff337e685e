# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo serve test lint bench histories lock clean

setup: $(STAMP)

# The worker logic asks for Python 3.13 in its metadata and runs on 3.11 and 3.12 too, hence its own line. So does the AL grammar,
# which is built for 3.12 at least; where it has no wheel for the machine, one test less can be run.
$(STAMP): requirements.txt requirements-dev.txt requirements-worker.txt requirements-al.txt tests/sandbox/azurite/package-lock.json
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --require-hashes -r requirements-worker.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --only-binary=:all: --python-version 3.12 --upgrade --target "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')" --require-hashes -r requirements-al.txt || echo "no AL grammar for this machine"
	$(BIN)/python -c "from tests.sandbox.emulator import ensure_installed; ensure_installed()"
	touch $(STAMP)

demo: setup
	@$(BIN)/python -m tests.sandbox.demo

serve: setup
	@$(BIN)/python -m tests.sandbox.demo --serve

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m tests.benchmarks

# Random histories of edits, faults and notifications, each from a seed: more than the tests run.
FIRST  := 0
SEEDS  := 3000
histories: setup
	@$(BIN)/python -m tests.simulation --first $(FIRST) --seeds $(SEEDS)

# Renews the pinned, hashed lists from requirements.in and requirements-dev.in; needs uv.
lock:
	uv pip compile --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url -q requirements.in -o requirements.txt
	uv pip compile --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url -q requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) build tests/sandbox/azurite/node_modules
