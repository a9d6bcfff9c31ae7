# Everything starts here: `make demo` and `make test` need only Python 3.11 to 3.13 and make.
# pip's own environment variables are honoured (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, …). On Linux,
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo
# takes the CPU build of torch instead of the CUDA one, a tenth of the download.
# Written for GNU make 3.81 and later, the version that macOS brings.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test test-gpu test-clients haswell lint format bench docs mini clean

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# Expanded only when an environment has to be made: the first interpreter that is new enough.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $(python))) python3)

VENV := .venv
BIN := $(VENV)/bin
# A stamp is newer than both files that say what is installed: a second run installs nothing and needs no network.
# The demo needs no development tools, and takes the environment that has them where there is one.
DEV_STAMP := $(VENV)/.installed-dev
DEMO_STAMP := $(if $(wildcard $(DEV_STAMP)),$(DEV_STAMP),$(VENV)/.installed-onnx,onnxruntime)

PYTEST_ARGS ?= -n 2
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
GPU_ARGS ?=
PEERS := .venv-peers
BENCH_SIZES ?= base
# A paragraph on the first line, a question about it on each of the others.
DEMO_TEXT := docs/demo.txt

help:  ## list what make can do
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)$$/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

$(VENV)/.installed-%: pyproject.toml constraints.txt
	@python='$(PYTHON)'; \
	if ! command -v $$python >/dev/null 2>&1; then \
		echo "error: no Python found as '$$python'; fix: install Python 3.11 to 3.13, or name one: make PYTHON=/path/to/python3.11" >&2; exit 2; fi; \
	if ! $$python -c '$(SUPPORTED)' >/dev/null 2>&1; then \
		echo "error: Python 3.11 to 3.13 is needed; received $$($$python --version 2>&1 | head -n 1) from '$$python'; fix: name another: make PYTHON=/path/to/python3.11" >&2; exit 2; fi; \
	if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		echo "error: '$$python' comes without its venv module; fix: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 2; fi; \
	echo "making $(VENV) with $$($$python --version)" && $$python -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt 'setuptools>=77'
	$(BIN)/python -m pip install --constraint constraints.txt --no-build-isolation --editable '.[$*]'
	@touch $@

demo: $(DEMO_STAMP)  ## export albert-mini's question answering to ./demo with its parity, ask it six questions
	@echo "== albert-export onnx: albert-mini, the small trained model of the package, question answering =="
	$(BIN)/albert-export onnx --task question-answering --out demo
	@echo
	@echo "== albert-export run demo --question … --context …: names that it has never seen, through ONNX Runtime =="
	@sed -n 1p $(DEMO_TEXT) | fold -s -w 110
	@context=$$(sed -n 1p $(DEMO_TEXT)); sed 1d $(DEMO_TEXT) | while read -r question; do \
		echo && echo "$$question" && \
		$(BIN)/albert-export run demo --question "$$question" --context "$$context" </dev/null || exit 1; \
	done

test: lint  ## lint, strict types and the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

# In whatever environment the GPU's packages are in: `make test-gpu GPU_PYTHON=python3`; nothing is installed.
test-gpu:  ## check and time everything on an NVIDIA GPU, in GPU_PYTHON's environment; GPU_ARGS="--minutes 10", "--dry-run"
	PYTHONPATH=".$${PYTHONPATH:+:$$PYTHONPATH}" $(GPU_PYTHON) -m tools.gpu $(GPU_ARGS)

haswell: $(DEV_STAMP)  ## int8 on an emulated processor without VNNI; needs qemu-x86_64 (Debian: apt install qemu-user)
	ALBERT_EXPORT_TEST_HASWELL=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/runtimes/test_without_vnni.py

# Each client lives in an environment of its own under build/clients/, made from its registry when its versions change.
test-clients: $(DEV_STAMP)  ## run bundles in programs that nobody here wrote; some of them with CLIENTS="optimum iree"
	ALBERT_EXPORT_TEST_CLIENTS="$(CLIENTS)" OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 -v --durations 12 -o timeout=1500 tests/clients/check_clients.py

lint: $(DEV_STAMP)  ## ruff, formatting and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(DEV_STAMP)  ## mend formatting and what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(DEV_STAMP)  ## write anew what in docs/ is generated from the code
	$(BIN)/python tools/generate_cli_docs.py
	$(BIN)/python tools/generate_embedding_vectors.py
	$(BIN)/python -m tools.generate_model_card

# The C library is told to keep the memory of one step for the next: a fifth of the time goes into giving it back.
mini: $(DEV_STAMP)  ## generate text and train albert-mini anew, with its figures: an hour on two processors with a C++ compiler
	MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=200000000 \
		$(BIN)/python -m tools.mini

# What is compared with lives in an environment of its own: its packages pin other versions than ours.
$(PEERS)/.installed: benchmarks/peers-requirements.txt | $(DEV_STAMP)
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --requirement benchmarks/peers-requirements.txt
	@touch $@

bench: $(PEERS)/.installed  ## measure ours against optimum, OpenVINO, NNCF and the usual TFLite; BENCH_SIZES="base large xxlarge"
	$(BIN)/python -m benchmarks.export_vs_optimum --peers $(PEERS)/bin/python --sizes $(BENCH_SIZES)
	$(BIN)/python -m benchmarks.onnxruntime_latency --peers $(PEERS)/bin/python
	for size in $(BENCH_SIZES); do \
		$(BIN)/python -m benchmarks.peers --peers $(PEERS)/bin/python --size $$size || exit 1; \
	done

clean:  ## remove what builds, tests and the demo left; the environment stays
	rm -rf build dist demo demo.rejected *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
