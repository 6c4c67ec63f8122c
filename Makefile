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

# CASES=all takes every case; the default is the balanced smoke selection. GATE=point makes missed targets fail.
CASES ?= smoke
MODELS ?= demo:base demo:finetuned demo:int8 demo:int4
GATE ?= off

bench: setup
	$(BIN)/pytest suites $(foreach model,$(MODELS),--mcp-model=$(model)) \
	  -m "$(if $(filter all,$(CASES)),not slow,$(CASES))" --mcp-gate=$(GATE) \
	  --mcp-json=.mcpbench/bench.json --mcp-report=.mcpbench/bench.html

test: setup
	$(BIN)/pytest tests -q

slow: setup
	$(BIN)/pytest tests -q -m slow

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf build/tree && mkdir -p build/tree/pytest_mcpbench
	ln -s $(CURDIR)/pytest_mcpbench/* $(CURDIR)/suites $(CURDIR)/training $(CURDIR)/fixtures build/tree/pytest_mcpbench/
	cd build/tree && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p pytest_mcpbench

clean:
	rm -rf $(VENV) build dist *.egg-info .mcpbench .pytest_cache .mypy_cache .ruff_cache .hypothesis
