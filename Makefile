# Visavis. `make help` lists what can be made.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Without compiled bytecode every start of the server compiles 2000 modules anew: 10 seconds.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
HOST ?= 127.0.0.1
PORT ?= 9995
UV_VERSION := 0.13.8
# With CUDA=1 torch is the GPU build for this machine's driver; otherwise the exact CPU pin.
ifeq ($(CUDA),1)
TORCH_BACKEND := auto
CONSTRAINTS := $(VENV)/constraints.txt
else
TORCH_BACKEND := cpu
CONSTRAINTS := constraints-cpu.txt
endif

.PHONY: help setup demo test check bench train-setup constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: CUDA=1 (GPU build of torch), PYTHON=python3.12, HOST=$(HOST), PORT=$(PORT)"

setup: $(VENV)/.ready ## make the virtual environment in .venv (CUDA=1: GPU build of torch)

$(VENV)/.ready: pyproject.toml constraints-cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Visavis needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(VENV)/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@grep -v '^torch==' constraints-cpu.txt > $(VENV)/constraints.txt
	@# uv knows torch's index of CPU and CUDA builds; where that index is out of reach, pip's own settings decide.
	@torch="$$(test '$(CUDA)' = 1 && echo 'torch>=2.6,<3' || grep '^torch==' constraints-cpu.txt)"; echo "installing $$torch"; \
	  UV_HTTP_RETRIES=0 $(UV) pip install -q --python $(PY) "$$torch" --torch-backend $(TORCH_BACKEND) 2>/dev/null \
	  || $(VENV)/bin/pip install -q --disable-pip-version-check --no-compile "$$torch"
	@echo "installing the other packages"
	@$(UV) pip install -q --python $(PY) -r pyproject.toml --extra test -c $(CONSTRAINTS)
	@$(PY) -c 'import cv2, mediapipe' || { echo "A system library is missing; on Debian and Ubuntu: apt-get install libgl1 libegl1 libgles2 libglib2.0-0"; exit 1; }
	@touch $@

demo: setup ## set up, serve, and print the page to open
	$(PY) -m server serve --host $(HOST) --port $(PORT)

# Servers and browsers have the machine to themselves; what only computes shares it. No process
# holds every network that was ever compiled.
PYTEST := $(PY) -m pytest -q
test: setup browser peers ## set up and run every test (Chromium and other peers come from apt when missing and allowed)
	@status=0; log="$$(mktemp)"; \
	echo "tests: client"; $(PYTEST) tests/test_client_*.py || status=1; \
	echo "tests: server"; $(PYTEST) tests/test_server_*.py || status=1; \
	echo "tests: all others, two processes side by side"; \
	$(PYTEST) tests/test_liveportrait_*.py >"$$log" 2>&1 & liveportrait=$$!; \
	$(PYTEST) tests $(foreach room,client liveportrait server,--ignore-glob='tests/test_$(room)_*') || status=1; \
	wait $$liveportrait || status=1; \
	cat "$$log"; rm -f "$$log"; exit $$status

.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "Chromium is missing and could not be installed: the browser tests will be skipped"

# Independent peers of the tests: FFmpeg, a TURN relay, PostgreSQL, WebRTC in Node.
.PHONY: peers
peers:
	@missing=(); \
	command -v ffmpeg >/dev/null || missing+=(ffmpeg); \
	command -v turnserver >/dev/null || missing+=(coturn); \
	ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 || missing+=(postgresql); \
	command -v npm >/dev/null || missing+=(nodejs npm); \
	if (($${#missing[@]})); then \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; } \
	  || echo "Missing and not installed: $${missing[*]}; the tests that need them will be skipped"; \
	fi
	@if command -v npm >/dev/null; then (cd tests/e2e/node && npm ci --silent --no-audit --no-fund) || echo "npm ci failed in tests/e2e/node: its tests will be skipped"; fi

check: setup ## lint, format and types (Python, and the browser client where Node is installed)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	@if command -v npm >/dev/null; then cd client/web && npm ci --silent --no-audit --no-fund && npx tsc --noEmit -p . && echo "client: types are right"; \
	  else echo "npm is missing: the client's types were not checked"; fi

bench: setup ## measure: a live session, two of them, the renderer, the LivePortrait networks (about 15 minutes)
	$(PY) -m server bench
	$(PY) -m server bench --sessions 2 --seconds 300 --rounds 0
	$(PY) -m server bench --seconds 0 --rounds 0 --video 20
	$(PY) -m tests.bench.bench_lite_renderer
	$(PY) -m liveportrait bench --source server/avatars/p06.jpg --driving server/studio/examples/driving.mp4 --out out/bench

train-setup: setup ## add what the training commands need: voices, the teacher encoder, the face generator
	$(UV) pip install -q --python $(PY) -r pyproject.toml --extra train -c $(CONSTRAINTS)

constraints: setup ## write constraints-cpu.txt anew from .venv
	@{ head -2 constraints-cpu.txt; $(UV) pip freeze --python $(PY) | grep -v '^uv==' | sed 's/+cpu$$//'; } > $(VENV)/new && mv $(VENV)/new constraints-cpu.txt

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) weights/.cache .mypy_cache .ruff_cache .pytest_cache client/web/node_modules
