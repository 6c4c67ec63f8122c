# make setup: .venv with everything pinned; make bench: the benchmark on the demo models; make test: the project's tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup bench test slow lint clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make setup PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,training,onnx,report,dev]'
	touch $(STAMP)

bench: setup
	$(BIN)/pytest suites --mcp-model=demo:base --mcp-model=demo:finetuned --mcp-json=.mcpbench/bench.json

test: setup
	$(BIN)/pytest tests -q

slow: setup
	$(BIN)/pytest tests -q -m slow

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .mcpbench .pytest_cache .mypy_cache .ruff_cache .hypothesis
