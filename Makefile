# `make help` lists the targets. Ports and folders are variables: make up INFERENCE_PORT=9080
PYTHON ?= $(if $(shell command -v python3.11),python3.11,python3)
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= digits
MLFLOW_PORT ?= 5000
ARCHIVES := $(patsubst weights/%.safetensors,model_store/%.mar,$(wildcard weights/*.safetensors)) \
  $(patsubst weights/characters-%.safetensors,model_store/reader-%.mar,$(wildcard weights/characters-[0-9]*.safetensors))
PARTS := $(shell find src/handwriting -name '*.py') $(wildcard handlers/*.py config/*.yaml) deploy/archive.py deploy/checksums.py
# for bandit; tests and torture are what attacks
SOURCES := src handlers deploy dashboard loadtest training measuring/accuracy measuring/speed measuring/common examples
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help backup restore torture soak up down status monitoring install archive data train finetune evaluate export mlflow bench loadtest budgets screenshots test test-fast lint audit clean
.DELETE_ON_ERROR:

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: install archive ## start TorchServe and the dashboard, and wait for a real prediction
	@$(BIN)/python -m deploy.local up

down: ## stop both, and leave no process and no socket behind
	@test ! -x $(BIN)/python || $(BIN)/python -m deploy.local down

status: ## what runs, and where
	@$(BIN)/python -m deploy.local status

monitoring: install ## Prometheus on 127.0.0.1:9090, with rules and alerts for what `make up` runs; installed where it is missing
	@$(BIN)/python -m deploy.packages prometheus
	@$(BIN)/python -m deploy.local monitoring

install: $(VENV)/installed ## the virtual environment with everything that `make up` needs

archive: $(ARCHIVES) ## pack all versions in weights/ into model_store/*.mar

data: $(VENV)/installed-dev ## download MNIST into DATA_DIR (default: data), checked by sha256; EMNIST and fonts too: make data ARGS="--emnist --fonts"
	$(BIN)/python -m training.download $(ARGS)

finetune: $(VENV)/installed-dev ## teach MODEL your own hand: make finetune MODEL=digits DRAWINGS=my-drawings
	$(BIN)/python -m training.finetune $(MODEL) $(DRAWINGS) $(ARGS)

evaluate: $(VENV)/installed-dev archive ## measure MODEL over HTTP and write docs/results/MODEL: make evaluate MODEL=digits
	@$(BIN)/python -m measuring.accuracy $(MODEL) $(ARGS)

export: $(VENV)/installed-mobile ## all recognisers in other formats, checked and measured: docs/results/exports.md
	$(BIN)/python -m training.export $(ARGS)
	$(BIN)/python -m training.export.table

mlflow: $(VENV)/installed-dev ## show the training runs on http://127.0.0.1:5000
	@mkdir -p runs
	@$(BIN)/mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///runs/mlflow.db} --port $(MLFLOW_PORT) --workers 1

train: $(VENV)/installed-dev ## train MODEL from DATA_DIR: make train MODEL=digits ARGS="--epochs 20"
	$(BIN)/python -m training.train $(MODEL) $(ARGS)

loadtest: $(VENV)/installed-loadtest ## load the running server: make loadtest SHAPE=smoke|ramp|spike|soak|compare USERS=.. SECONDS=.. PICTURES=drawings|frames HOST=.. WORKERS=.., or UI=1
	@$(BIN)/python -m loadtest $(if $(SHAPE),--shape $(SHAPE)) $(if $(USERS),--users $(USERS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(PICTURES),--pictures $(PICTURES)) $(if $(HOST),--host $(HOST)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(UI),--ui) $(ARGS)

backup: install ## save the drawings that the dashboard keeps: make backup FILE=drawings.zip
	@$(BIN)/python -m dashboard.finetune.backup save $(or $(FILE),drawings.zip)

restore: install ## bring them back: make restore FILE=drawings.zip
	@$(BIN)/python -m dashboard.finetune.backup restore $(or $(FILE),drawings.zip)

torture: $(VENV)/installed-dev archive ## bad input, faults and a soak with real servers: docs/results/reliability.md; half an hour
	@$(BIN)/python -m deploy.packages --wish faketime
	$(BIN)/python -m measuring.reliability $(ARGS)

soak: $(VENV)/installed-dev archive ## steady load at 70 % of what the server holds, with its memory watched: make soak MINUTES=20
	@$(BIN)/python -m measuring.reliability --only soak --minutes $(or $(MINUTES),20) $(ARGS)

bench: $(VENV)/installed-bench archive ## our server against its peers: docs/results/bench.md; needs wrk
	$(BIN)/python -m measuring.speed $(ARGS)

test: $(VENV)/installed-dev archive ## everything, with the real TorchServe and a real Chromium
	$(BIN)/python -m deploy.packages chromium --wish postgresql prometheus faketime
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-fast: $(VENV)/installed-dev archive ## what needs neither a server nor a browser
	$(BIN)/python -m pytest -m "not server and not browser and not slow"

budgets: $(VENV)/installed-dev archive ## the slow tests: how long a person waits on the dashboard, printed; 10,000 pictures in a batch
	@$(BIN)/python -m deploy.packages chromium
	$(BIN)/python -m pytest -m slow -s --no-header -q

screenshots: $(VENV)/installed-dev archive ## pictures of the dashboard for the README: docs/screenshots
	@$(BIN)/python -m deploy.packages chromium
	$(BIN)/python -m examples.screenshots

lint: $(VENV)/installed-dev ## ruff: format and rules; bandit: what an attacker would look for
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)

audit: $(VENV)/installed-dev ## whether the pinned packages are known to be vulnerable, as far as the index tells
	@$(BIN)/python -m deploy.audit

clean: down ## remove what was built, downloaded data and runs stay
	rm -rf $(VENV) model_store/*.mar*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is no Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the requirements: a few minutes the first time, without a further word"
	@$(PIP_INSTALL) --editable '.[serve,dashboard,client]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "installing what training and tests need"
	@$(PIP_INSTALL) --editable '.[serve,dashboard,client,train,export,dev]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	@echo "installing other servers to measure against"
	@$(PIP_INSTALL) --editable '.[bench]'
	@touch $@

$(VENV)/installed-loadtest: $(VENV)/installed
	@echo "installing Locust"
	@$(PIP_INSTALL) --editable '.[serve,dashboard,client,loadtest]'
	@touch $@

$(VENV)/installed-mobile: $(VENV)/installed-dev
	@echo "installing what exports for small devices need"
	@$(PIP_INSTALL) --editable '.[mobile]'
	@touch $@

model_store/%.mar: weights/%.safetensors weights/%.json $(PARTS) | install
	@$(BIN)/python -m deploy.archive $<

model_store/reader-%.mar: weights/characters-%.safetensors weights/characters-%.json $(PARTS) | install
	@$(BIN)/python -m deploy.archive --model reader $<
