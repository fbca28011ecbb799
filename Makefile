# Every target sets up what it needs; a second call of the set-up is instant.
# Python 3.11 or later is looked for; PYTHON=… names one.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# What the scanners of `make check` need minutes for: API, release, templates, what pages show, the image.
SCANNED := tests/security tests/release tests/infra tests/docs tests/deploy
# Tests wait for processes, leases and time limits a third of the time: three keep two cores busy.
WORKERS := 3

# Tests start a thousand processes: without compiled modules each would compile its own.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo up backends test elsewhere check format bench soak judges functions lock assets site diagrams screenshots release clean

help:  ## Show the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

demo: $(VENV)/.runtime  ## Turn a clip into frames through a real service; FILE=clip.mp4 takes yours.
	@$(BIN)/mediamill demo $(if $(FILE),"$(FILE)")

up: $(VENV)/.runtime  ## Start the service; HOME_FOLDER=… keeps its state elsewhere than ~/.mediamill.
	@$(BIN)/mediamill up $(if $(HOME_FOLDER),--home "$(HOME_FOLDER)") $(if $(PORT),--port $(PORT))

backends: $(VENV)/.backends  ## Install what PostgreSQL, DynamoDB, S3 and the brokers need.

test: $(VENV)/.dev  ## Run the tests.
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not soak and not scan and not image" $(ARGS)

elsewhere: $(VENV)/.dev  ## Run the service's tests on PostgreSQL and on DynamoDB, with S3; half an hour.
	@for store in postgresql dynamodb; do \
		$(BIN)/python -m pytest -n 2 --store $$store --blobs s3 tests/web tests/cli tests/handlers \
		tests/services tests/engine tests/browser tests/security $(ARGS) || exit 1; \
	done

check: $(VENV)/.dev $(VENV)/.judges-infra  ## Check format, rules, types, imports, secrets, advisories, AWS's template, the published API.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p mediamill
	$(BIN)/mypy tests/client/typed.py
	$(BIN)/lint-imports --config .importlinter
	$(BIN)/python scripts/check_tree.py
	$(BIN)/python scripts/check_history.py
	$(BIN)/python scripts/licences.py --check
	$(BIN)/python scripts/changelog.py
	$(BIN)/python scripts/check_advisories.py $(ADVISORIES)
	$(BIN)/python scripts/check_infra.py
	$(BIN)/python scripts/check_terraform.py
	$(VENV)/judges-infra/bin/checkov --config-file deploy/.checkov.yaml
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "scan or image" $(SCANNED)

format: $(VENV)/.dev  ## Format the code and fix what can be fixed.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Measure the claims of the README; one file per claim.
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

soak: $(VENV)/.dev  ## Run the fault and load tests at full length; this takes hours.
	-@$(MAKE) --no-print-directory judges
	$(BIN)/python -m pytest -m soak --timeout 7200 $(ARGS)

judges: $(VENV)/.judges  ## Install Datumaro, which judges exports, in an environment of its own.

functions: $(VENV)/.dev  ## Build the zip of the API's Lambda function; needs Python 3.13 as well.
	$(BIN)/python scripts/function_zip.py $(ARGS)

assets: $(VENV)/.dev  ## Build the scripts of others that our pages load, from web-assets; needs Node.js and npm.
	$(BIN)/python scripts/assets.py

site: $(VENV)/.docs  ## Build the site of docs/ into build/site; a link that leads nowhere fails.
	$(BIN)/python scripts/build_site.py

diagrams: $(VENV)/bin/python  ## Draw the diagrams of the documentation anew.
	$(BIN)/python scripts/diagrams.py

screenshots: $(VENV)/.dev  ## Make the pictures of the documentation anew.
	$(BIN)/python scripts/screenshots.py

release: $(VENV)/.dev  ## Build wheel, sdist, SBOM and notes of what is committed into dist/; ARGS=--final to publish.
	$(BIN)/python scripts/release.py $(ARGS)

lock:  ## Resolve the newest dependencies into requirements/*.txt, with hashes; needs uv.
	@command -v uv >/dev/null || { echo "Install uv first: https://docs.astral.sh/uv/"; exit 1; }
	$(call resolve,pyproject.toml,runtime)
	$(call resolve,pyproject.toml --all-extras,backends)
	$(call resolve,--group build,build)
	$(call resolve,--group judges,judges)
	$(call resolve,--group docs,docs)
	$(call resolve,--group judges-infra,judges-infra)
	$(call resolve,pyproject.toml --all-extras --group dev,dev)

resolve = uv pip compile --quiet --upgrade --no-header --universal \
	--generate-hashes --python-version 3.11 $(1) -o requirements/$(2).txt

clean:  ## Remove the virtual environment, caches and the demo's output.
	rm -rf $(VENV) demo-out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Mediamill needs Python 3.11 or later. Install one (on Debian and Ubuntu: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "Python has no venv module here: on Debian and Ubuntu, apt install python3-venv."; rm -rf $(VENV); exit 1; }

# Runtime: what `demo` and `up` need. Development adds to it.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.backends: requirements/backends.txt $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements/backends.txt
	@touch $@

$(VENV)/.docs: requirements/docs.txt | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

# What judges wants older libraries than ours.
$(VENV)/.judges: requirements/judges.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(VENV)/judges
	$(VENV)/judges/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
		--require-hashes -r requirements/judges.txt
	@touch $@

$(VENV)/.judges-infra: requirements/judges-infra.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(VENV)/judges-infra
	$(VENV)/judges-infra/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
		--require-hashes -r requirements/judges-infra.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
