# Everything sets itself up: each target makes its own .venv first. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
SANITIZE := build/sanitize
# What the compiled engine is built from: a change of it is a reason to install anew.
NATIVE := src/layerwise/engines/native
ENGINE_SOURCES := CMakeLists.txt $(wildcard $(NATIVE)/core/*) $(wildcard $(NATIVE)/runner/*)
# What depends on the engine; the rest of the tests, run once, would only say the same twice.
ON_BOTH_ENGINES := $(addprefix tests/,training network program gradients independent cli storage \
	$(addprefix estimators/,test_same_results.py test_going_on.py test_autoencoder.py))
PYTEST := -m pytest -n auto --dist loadfile

.PHONY: train test stress notes-test check bench sanitize clean native
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:  # the targets share one environment

train: $(VENV)/.train $(VENV)/.package  ## Train on the bundled digits and keep the model in models/digits
	$(BIN)/layerwise train digits --out models/digits --overwrite

test: export LAYERWISE_REQUIRE_NATIVE := 1
test: native $(VENV)/.test  ## Run all tests, documented examples included, then those of the engine on the other engine
	LAYERWISE_ENGINE=native $(BIN)/python $(PYTEST)
	LAYERWISE_ENGINE=reference $(BIN)/python $(PYTEST) $(ON_BOTH_ENGINES)

# What takes too long for every day: a line for each.
stress: export LAYERWISE_REQUIRE_NATIVE := 1
stress: native $(VENV)/.stress  ## Kill training at random moments; change 10,000 data files, model folders and readers' bytes
	$(BIN)/python tests/stress/kill.py 50
	$(BIN)/python tests/stress/fuzz_models.py 5000
	$(BIN)/python tests/stress/fuzz_data.py 5000
	$(BIN)/python tests/stress/fuzz_readers.py 50000

# Each chapter as a script first: what a reader of the file runs. The browser is Debian's package chromium, or Chrome.
notes-test: export LAYERWISE_REQUIRE_NATIVE := 1
notes-test: export LAYERWISE_REQUIRE_BROWSER := 1
notes-test: native $(VENV)/.browser  ## Run the notes: as scripts, exercises and proofs, in a browser, and as files
	@for chapter in src/layerwise/notes/chapters/*.py; do echo $$chapter; $(BIN)/python -W error $$chapter || exit 1; done
	$(BIN)/python $(PYTEST) -m "" tests/notes tests/proofs src/layerwise/notes src/layerwise/proofs
	$(BIN)/python -m pytest -m "" tests/browser

check: $(VENV)/.check  ## Lint, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: $(BENCH_VENV)/.bench  ## Time training steps against peers: NumPy, scikit-learn, JAX, PyTorch
	$(BENCH_VENV)/bin/python -m benchmarks

# ---- sanitizers ----
# The library is loaded by a Python that was built without them, so their runtime goes in first; libstdc++ with it,
# because AddressSanitizer looks for what throws exceptions when it starts. Python keeps memory until the end on purpose.
ADDRESS_RUNTIME = $(foreach name,libasan.so libstdc++.so,$(shell $(CXX) -print-file-name=$(name)))
SANITIZED_PYTHON = LD_PRELOAD="$(ADDRESS_RUNTIME)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LAYERWISE_ENGINE=native LAYERWISE_NATIVE_LIBRARY=$(CURDIR)/$(SANITIZE)/address/_core.so \
	PYTHONMALLOC=malloc $(BIN)/python

sanitize: native $(VENV)/.test $(SANITIZE)/address.built $(SANITIZE)/thread.built  ## Search the engine for bad memory accesses, undefined behaviour, races
	@for file in $(ADDRESS_RUNTIME); do test -f $$file || { echo "make sanitize needs g++ with $$file" >&2; exit 1; }; done
	$(SANITIZED_PYTHON) -m pytest -q --capture=sys -p no:cacheprovider --ignore=tests/native/test_build.py tests/native
	rm -rf $(SANITIZE)/plans
	LAYERWISE_ENGINE=native $(BIN)/python tests/native/save_plans.py $(SANITIZE)/plans
	$(SANITIZE)/thread/layerwise_runner $(SANITIZE)/plans/*

$(SANITIZE)/address.built: TARGET := layerwise_core
$(SANITIZE)/thread.built: TARGET := layerwise_runner
$(SANITIZE)/%.built: $(ENGINE_SOURCES) | $(VENV)/.test
	$(BIN)/cmake -S . -B $(SANITIZE)/$* -D CMAKE_CXX_COMPILER=$(CXX) -D LAYERWISE_SANITIZE=$*
	$(BIN)/cmake --build $(SANITIZE)/$* --target $(TARGET) --parallel
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis $(NATIVE)/_core.*

# ---- environments ----
# The package is built once, in place, and anew when the engine's sources change. Extras only add other packages.
INSTALL := -m pip install --quiet --disable-pip-version-check
WITHOUT_BUILD := --config-settings wheel.cmake=false

$(VENV)/.package: pyproject.toml $(ENGINE_SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --editable .
	@touch $@

# `make train` may have gone without a compiler; whoever needs the engine asks for it once more.
native: export LAYERWISE_REQUIRE_NATIVE := 1
native: $(VENV)/.package
	@ls $(NATIVE)/_core.* > /dev/null 2>&1 || { rm $(VENV)/.package && $(MAKE) --no-print-directory $(VENV)/.package; }

$(VENV)/.train: EXTRAS := plots
$(VENV)/.test: EXTRAS := test
$(VENV)/.check: EXTRAS := check
$(VENV)/.browser: EXTRAS := browser
$(VENV)/.stress: EXTRAS := stress
$(VENV)/.train $(VENV)/.test $(VENV)/.check $(VENV)/.browser $(VENV)/.stress: pyproject.toml | $(VENV)/.package
	$(BIN)/python $(INSTALL) --editable '.[$(EXTRAS)]' $(WITHOUT_BUILD)
	@touch $@

# PyTorch is a peer and nothing else: where it is not to be had, the benchmark names it as left out.
$(BENCH_VENV)/.bench: export LAYERWISE_REQUIRE_NATIVE := 1
$(BENCH_VENV)/.bench: pyproject.toml $(ENGINE_SOURCES)
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(INSTALL) --editable '.[bench]'
	$(BENCH_VENV)/bin/python $(INSTALL) torch==2.13.0 || echo "PyTorch is not to be had here: without it, then"
	@touch $@
