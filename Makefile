# `make help` lists the targets. Ports and folders are variables: make up INFERENCE_PORT=9080
# The first of these that runs
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell $(name) -c 'print("$(name)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= digits
MLFLOW_PORT ?= 5000
ARCHIVES := $(patsubst weights/%.safetensors,model_store/%.mar,$(wildcard weights/*.safetensors)) \
  $(patsubst weights/characters-%.safetensors,model_store/reader-%.mar,$(wildcard weights/characters-[0-9]*.safetensors))
PARTS := $(shell find src/handwriting -name '*.py' -o -name '*.onnx') $(wildcard handlers/*.py config/*.yaml) deploy/archive.py deploy/checksums.py deploy/graph.py
# of tests: a fourth makes them slower, as their servers and browsers keep two cores full
PROCESSES := --numprocesses 3 --dist loadfile --no-loadscope-reorder
# for bandit; not tests and measuring/reliability, which attack on purpose
SOURCES := src handlers deploy dashboard loadtest training measuring/accuracy measuring/speed measuring/common examples

.DEFAULT_GOAL := help
.PHONY: help up down status monitoring install archive data train finetune evaluate export mlflow bench loadtest torture soak \
  backup restore score device budgets deploy-tools image containers test-deploy screenshots test test-all test-campaign-quick test-fast lint audit lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: install archive ## start TorchServe and the dashboard, and wait for a real prediction
	@$(BIN)/python -m deploy.local up

down: ## stop all that runs, and remove its sockets
	@test ! -x $(BIN)/python || $(BIN)/python -m deploy.local down

status: ## show what runs, and where
	@$(BIN)/python -m deploy.local status

monitoring: install ## start Prometheus on 127.0.0.1:9090 with rules and alerts; as root, install it if it is missing
	@$(BIN)/python -m deploy.packages prometheus
	@$(BIN)/python -m deploy.local monitoring

install: $(VENV)/installed ## make the virtual environment with all that `make up` needs

archive: $(ARCHIVES) ## pack all weights into model_store/*.mar

data: $(VENV)/installed-dev ## download MNIST into DATA_DIR (default: data) and check its sha256; with EMNIST and fonts: make data ARGS="--emnist --fonts"
	$(BIN)/python -m training.download $(ARGS)

finetune: $(VENV)/installed-dev ## fine-tune MODEL on your own drawings: make finetune MODEL=digits DRAWINGS=my-drawings
	$(BIN)/python -m training.finetune $(MODEL) $(DRAWINGS) $(ARGS)

evaluate: $(VENV)/installed-dev archive ## measure MODEL's accuracy over HTTP, into docs/results/MODEL: make evaluate MODEL=digits
	@$(BIN)/python -m measuring.accuracy $(MODEL) $(ARGS)

export: $(VENV)/installed-mobile ## export all recognisers to other formats, check and measure them: docs/results/exports.md
	$(BIN)/python -m training.export $(ARGS)
	$(BIN)/python -m training.export.table

mlflow: $(VENV)/installed-dev ## show training runs on http://127.0.0.1:5000
	@mkdir -p runs
	@$(BIN)/mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///runs/mlflow.db} --port $(MLFLOW_PORT) --workers 1

train: $(VENV)/installed-dev ## train MODEL, or the network that finds ink (MODEL=ink), from DATA_DIR: make train MODEL=digits ARGS="--epochs 20"
	$(BIN)/python -m $(if $(filter ink,$(MODEL)),training.ink,training.train $(MODEL)) $(ARGS)

loadtest: $(VENV)/installed-loadtest ## load the running server: make loadtest SHAPE=smoke|ramp|spike|soak|compare USERS=.. SECONDS=.. PICTURES=drawings|frames HOST=.. WORKERS=.., or UI=1
	@$(BIN)/python -m loadtest $(if $(SHAPE),--shape $(SHAPE)) $(if $(USERS),--users $(USERS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(PICTURES),--pictures $(PICTURES)) $(if $(HOST),--host $(HOST)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(UI),--ui) $(ARGS)

device: $(VENV)/installed-dev ## build the page that reads on the visitor's own device, for any host of files; needs npm: make device OUT=site
	$(BIN)/python -m deploy.device.build $(OUT)

score: $(VENV)/installed-ray archive ## read millions of pictures into Parquet files, with Ray: make score SOURCE=scans OUT=results MODEL=digits, or CLUSTER=auto
	@$(BIN)/python -m deploy.ray.score $(SOURCE) --out $(or $(OUT),runs/score) $(if $(CLUSTER),--cluster $(CLUSTER)) \
	  --archive model_store/$(or $(MODEL),digits)-1.0.mar $(ARGS)

backup: install ## save the drawings that the dashboard keeps: make backup FILE=drawings.zip
	@$(BIN)/python -m dashboard.finetune.backup save $(or $(FILE),drawings.zip)

restore: install ## restore saved drawings: make restore FILE=drawings.zip
	@$(BIN)/python -m dashboard.finetune.backup restore $(or $(FILE),drawings.zip)

torture: $(VENV)/installed-dev archive ## bad input, faults and a soak on real servers, half an hour: docs/results/reliability.md, soak.md
	@$(BIN)/python -m deploy.packages --optional faketime
	$(BIN)/python -m measuring.reliability $(ARGS); code=$$?; $(BIN)/python -m loadtest.soak || code=$$?; exit $$code

soak: $(VENV)/installed-dev archive ## steady load at 70 % of the server's capacity while its memory is measured: make soak MINUTES=20
	@$(BIN)/python -m loadtest.soak --minutes $(or $(MINUTES),20) $(ARGS)

bench: $(VENV)/installed-bench archive ## compare with other servers: docs/results/bench.md; needs wrk
	$(BIN)/python -m measuring.speed $(ARGS)

test: $(VENV)/installed-dev $(VENV)-deploy/installed archive ## all tests but the campaign, with a real TorchServe and a real Chromium
	$(BIN)/python -m deploy.packages chromium --optional postgresql prometheus prometheus-alertmanager haproxy faketime
	$(BIN)/python -m pytest $(PROCESSES) -m "not campaign and not slow and not deployment"

test-all: $(VENV)/installed-dev $(VENV)-deploy/installed archive ## all tests with the campaign: bad input, faults, load and training
	$(BIN)/python -m deploy.packages chromium --optional postgresql prometheus prometheus-alertmanager haproxy faketime
	$(BIN)/python -m pytest $(PROCESSES) -m "not slow and not deployment"

test-campaign-quick: $(VENV)/installed-dev archive ## the quick part of the campaign, which CI runs after the tests
	$(BIN)/python -m deploy.packages --optional faketime
	$(BIN)/python -m pytest -m quick

test-deploy: $(VENV)/installed-dev $(VENV)-deploy/installed archive ## tests that run containers (after make image) or several servers, as root: an hour on two busy cores
	@$(BIN)/python -m deploy.packages --optional haproxy
	$(BIN)/python -m pytest -m deployment tests/deployment

test-fast: $(VENV)/installed-dev archive ## tests that need neither a server nor a browser
	$(BIN)/python -m pytest -m "not server and not browser and not campaign and not slow and not deployment"

budgets: $(VENV)/installed-dev archive ## the slow tests: response times of the dashboard, printed; 10,000 pictures in a batch
	@$(BIN)/python -m deploy.packages chromium
	$(BIN)/python -m pytest -m slow -s --no-header -q

screenshots: $(VENV)/installed-dev archive ## take the pictures of the dashboard: docs/screenshots
	@$(BIN)/python -m deploy.packages chromium
	$(BIN)/python -m examples.screenshots

lint: $(VENV)/installed-dev ## format and rules (ruff), types (mypy), direction of imports (import-linter), security (bandit)
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)

audit: $(VENV)/installed-dev ## check the pinned packages for known vulnerabilities
	@$(BIN)/python -m deploy.audit

deploy-tools: $(VENV)-deploy/installed ## make .venv-deploy, with what checks the containers, the cluster's documents and the function

image: ## build the images of server, dashboard and archives, with docker, podman or buildah
	@$(PYTHON) -m deploy.container.build $(ARGS)

containers: image ## start all on this host with Compose: server, dashboard, PostgreSQL, Prometheus, Alertmanager; ends with predictions
	@$(PYTHON) -m deploy.container.compose

lock: $(VENV)/installed-dev ## write requirements.lock, the hashes of all packages of `make up`
	@$(BIN)/python -m deploy.lock

clean: down ## remove the environment and the archives; data and runs stay
	rm -rf $(VENV) $(VENV)-deploy model_store/*.mar*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "make: needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..." >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt requirements.lock | $(VENV)/bin/python
	@$(BIN)/python -m deploy.install up
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(BIN)/python -m deploy.install dev
	@touch $@

$(VENV)-deploy/installed: deploy/tools.txt
	@$(PYTHON) -m venv $(VENV)-deploy
	@$(VENV)-deploy/bin/python -m pip install --quiet --requirement deploy/tools.txt
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	@$(BIN)/python -m deploy.install bench
	@touch $@

$(VENV)/installed-loadtest: $(VENV)/installed
	@$(BIN)/python -m deploy.install loadtest
	@touch $@

$(VENV)/installed-ray: $(VENV)/installed
	@$(BIN)/python -m deploy.install ray
	@touch $@

$(VENV)/installed-mobile: $(VENV)/installed-dev
	@$(BIN)/python -m deploy.install mobile
	@touch $@

model_store/%.mar: weights/%.safetensors weights/%.json $(PARTS) | install
	@$(BIN)/python -m deploy.archive $<

model_store/reader-%.mar: weights/characters-%.safetensors weights/characters-%.json $(PARTS) | install
	@$(BIN)/python -m deploy.archive --model reader $<
