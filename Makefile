# `make demo` and `make test` do all on a machine with Python >= 3.11 and a package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

ifdef CUDA
INSTALL := -e ".[all,test,lint,docs,cuda]"
else
INSTALL := --override requirements/cpu-overrides.txt -e ".[all,test,lint,docs,cpu]"
endif

.PHONY: setup demo serve test test-all tutorials lint docs bench clean

setup: $(READY)

$(READY): pyproject.toml requirements/constraints.txt requirements/cpu-overrides.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "uv>=0.5"
	# Compiled once: TensorFlow takes 27 s instead of 8 to import where Python writes no bytecode.
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python \
		-c requirements/constraints.txt $(INSTALL)
	touch $(READY)

demo: setup
	$(BIN)/xai-tf demo --out demo
	@echo "Try your own files in a browser: make serve"

serve: setup
	$(BIN)/xai-tf serve

# Two at once, a file each: pages, servers and workers leave a single process waiting.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

test: setup
	$(PYTEST)

test-all: setup
	$(PYTEST) -m "slow or not slow"

tutorials: setup
	$(PYTEST) -m slow tests/test_docs.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# `make docs RUN_NOTEBOOKS=1` runs the tutorials first and shows their output.
docs: export NO_MKDOCS_2_WARNING = 1
docs: setup
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open build/site/index.html"

bench: setup
	$(BIN)/python benchmarks/explainers.py

clean:
	rm -rf $(VENV) demo build
