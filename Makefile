# Everything sets itself up: each target makes its own .venv first. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test check bench clean
.DELETE_ON_ERROR:

train: $(VENV)/.train  ## Train on the bundled digits and keep the model in models/digits
	$(BIN)/layerwise train digits --out models/digits --overwrite

test: $(VENV)/.test  ## Run all tests, documented examples included
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(VENV)/.check  ## Lint, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

bench: $(VENV)/.test  ## Time training steps against NumPy-only and scikit-learn peers
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# One stamp for each set of extras, made anew when the dependencies change.
$(VENV)/.train: EXTRAS := plots
$(VENV)/.test: EXTRAS := test
$(VENV)/.check: EXTRAS := check
$(VENV)/.train $(VENV)/.test $(VENV)/.check: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@
