# Everything that a stranger needs: python3, git and make. `make help` says what there is to do.

VENV ?= .venv
PYTHON ?= python3
OLDEST_PYTHON := 3.11
# What reads uv.lock. It lives in a folder of its own, so that the environment holds what the lock says and nothing else.
UV_VERSION := 0.13.9
UV := $(VENV)/uv/bin/uv
MADE := $(VENV)/.made-from-lock
WORKERS ?= 2

unexport VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: demo test lock format docs messages pictures clean help

demo: $(MADE)  ## warn about customers of a simulated company, end to end
	@$(VENV)/bin/kizashi demo

# All four run whatever the others say, so that one run names every fault; the tests come last.
test: $(MADE)  ## check style, types and behaviour
	@failed=0; \
	echo "== style (ruff check)"; $(VENV)/bin/ruff check . || failed=1; \
	echo "== layout (ruff format)"; $(VENV)/bin/ruff format --check . || failed=1; \
	echo "== types (mypy)"; $(VENV)/bin/mypy || failed=1; \
	if [ $$failed = 1 ]; then echo "== FAILED above; the tests run all the same"; fi; \
	echo "== behaviour (pytest)"; $(VENV)/bin/pytest -n $(WORKERS) || failed=1; \
	exit $$failed

lock: $(UV)  ## bring uv.lock up to date with pyproject.toml; UP=--upgrade takes newer versions
	@$(UV) lock $(UP)

format: $(MADE)  ## lay out the code and mend what ruff can mend
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

docs: $(MADE)  ## write the pages that are made from the code
	@$(VENV)/bin/python -m features.contract > docs/contract.md
	@$(VENV)/bin/python -c "from pipelines.settings import settings_page; print(settings_page(), end='')" > docs/settings.md
	@$(VENV)/bin/python -m features.catalogue > docs/features.md
	@$(VENV)/bin/python -m models.warning_rules > docs/rules.md
	@$(VENV)/bin/python -m features.simulate.page > docs/simulator.md
	@$(VENV)/bin/python tests/requirements_page.py > docs/requirements.md

messages: $(MADE)  ## bring the catalogues of the other languages in step with what the code says
	@$(VENV)/bin/python -m serving.words.catalogue

pictures: $(MADE)  ## take the pictures of the pages in docs/pictures again (wants Chromium)
	@$(VENV)/bin/python tests/pictures.py docs/pictures

clean:  ## remove the environment and all caches, never your results in var/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find features models serving pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## say this
	@awk -F ':|  ## ' '/^[a-z]+:.*  ## / { printf "make %-8s %s\n", $$1, $$NF }' Makefile

# An environment is made anew where pyproject.toml or uv.lock changed since.
$(MADE): pyproject.toml uv.lock $(UV)
	@echo "== installing what uv.lock says into $(VENV)"
	@$(UV) sync --frozen --quiet
	@$(VENV)/bin/python -c "import lightgbm" 2>/dev/null || { \
	  echo "LightGBM cannot load the system's OpenMP library: install it (Debian: libgomp1, macOS: libomp) and try again." >&2; \
	  exit 1; }
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(OLDEST_PYTHON)".split("."))))' || { \
	  echo "Kizashi needs Python $(OLDEST_PYTHON) or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make environments: install its venv package (Debian: python3-venv) and try again." >&2; exit 1; }
	@echo "== making $(VENV) with `$(PYTHON) --version`"
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip install --quiet uv==$(UV_VERSION)
