# make thesis   run the notebooks and build the book
# make test     run the tests
# make help     the other targets
#
# Whichever runs first makes .venv; the others use it. Variables:
#   PYTHON=python3.12        the Python to make .venv from (default: the first one found that is new enough)
#   TORCH_INDEX=URL          take torch and torchvision from this package index, for example one with CPU-only wheels
#   LOCK=                    do not hold the versions of requirements.txt
#   TIER=smoke|laptop|full   how much the notebooks compute (default laptop)
#   JOBS=2                   steps at a time (default: as many as there are cores)
#   CHROME=/path/to/chrome   the browser that prints the PDF (default: the first one found)
#   PEER=FOLDER              for bench and bench-full: rosinality's code, to be timed, too

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

LOCK ?= requirements.txt
TIER ?= laptop
PORT ?= 8000
TORCH_INDEX ?=
JOBS ?=
CHROME ?=
PEER ?=
PEER_OPTION := $(if $(PEER),--peer '$(PEER)')

PY := .venv/bin/python
IPLKIT := $(PY) -m iplkit.cli
READY := .venv/ready
# Carries axe-core (MPL-2.0), which checks the pages for readers with a keyboard or a screen reader. Only that file is used:
# the package's own requirement, a browser driver of 190 MB, is left out.
AXE := axe-playwright-python==0.1.8
BOOK := _build/stage/_build/html/index.html

.PHONY: help install test thesis book pdf serve browse verify models bench bench-full clean

help:
	@echo 'make thesis   run the notebooks, draw figures and tables, build the book    about 10 minutes on two cores;'
	@echo '              only what changed since the last time                         again, seconds'
	@echo 'make test     run the tests                                                 less than 10 minutes'
	@echo 'make serve    show the built book on http://127.0.0.1:$(PORT)'
	@echo 'make browse   check every built page in a browser, and keep its picture       minutes'
	@echo 'make book     build the pages again from the notebooks that have run        seconds'
	@echo 'make pdf      print the whole thesis as _build/thesis.pdf, with Chromium or Chrome  about 2 minutes'
	@echo 'make verify   compare records, figures and text                             seconds'
	@echo 'make models   retrain every shipped model from its seeds                    hours'
	@echo 'make bench    measure speed: a table of ratios, at the size of the world     at most 15 minutes'
	@echo 'make bench-full  the same at the real sizes, up to 1024 px                   hours'
	@echo 'make clean    remove everything that was built, but not .venv'
	@echo 'The first one also installs the requirements into .venv, once: 5 to 15 minutes.'

install: $(READY)

# The one place that installs. Runs again when a requirement changes.
$(READY): pyproject.toml requirements.txt
	@command -v git >/dev/null 2>&1 || { echo 'This needs git; please install it and run make again.' >&2; exit 1; }
	@python=''; \
	if [ -x $(PY) ]; then python=$(PY); else \
	  for p in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python="$$p"; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ]; then \
	  found=$$($(if $(PYTHON),"$(PYTHON)",python3) --version 2>/dev/null || echo none); \
	  echo "This needs Python 3.11 or newer, and found $$found; install one, or name it with PYTHON=/path/to/python." >&2; exit 1; \
	fi; \
	if [ ! -x $(PY) ]; then \
	  echo "Making .venv with $$($$python --version)."; \
	  "$$python" -m venv .venv >.venv.log 2>&1 || { tail -n 3 .venv.log >&2; rm -rf .venv .venv.log; \
	    echo 'Python could not make a virtual environment; on Debian and Ubuntu the package python3-venv is missing.' >&2; exit 1; }; \
	  rm -f .venv.log; \
	fi
	@echo 'Installing the requirements into .venv: 5 to 15 minutes, up to 7 GB with the default torch.'
	@$(if $(TORCH_INDEX),$(PY) -m pip install -qq --disable-pip-version-check --no-deps --index-url $(TORCH_INDEX) torch torchvision)
	@$(PY) -m pip install -qq --disable-pip-version-check $(if $(LOCK),-c $(LOCK)) -e '.[book,test,lab]'
	@$(PY) -m pip install -qq --disable-pip-version-check --no-deps $(AXE)
	@touch $@
	@echo 'Installed.'

test: $(READY)
	@echo 'Running the tests: less than 10 minutes on two cores, nothing is downloaded.'
	$(PY) -m pytest -q

thesis: $(READY)
	@echo 'Running what is out of date of notebooks and book ($(TIER) tier); all of it, on two cores:' \
	  $(if $(filter smoke,$(TIER)),'about 3 minutes.',$(if $(filter full,$(TIER)),'hours.','at most 10 minutes.'))
	@$(IPLKIT) regenerate --tier $(TIER) $(if $(JOBS),-j $(JOBS))
	@echo 'Open $(BOOK) in a browser, or run: make serve'

book: $(READY)
	@$(IPLKIT) book --tier $(TIER)
	@echo 'Open $(BOOK) in a browser, or run: make serve'

pdf: $(READY)
	@$(IPLKIT) book --pdf --tier $(TIER) $(if $(CHROME),--browser '$(CHROME)')

serve: $(READY)
	@$(IPLKIT) serve --port $(PORT)

browse: $(READY)
	@$(PY) bench/browse.py

verify: $(READY)
	@$(IPLKIT) verify

models: $(READY)
	@echo 'Retraining every shipped model from its seeds: minutes on a GPU, many hours on two cores. It can be stopped and resumed.'
	@$(IPLKIT) models

bench: $(READY)
	@$(PY) bench/run.py $(PEER_OPTION)

bench-full: $(READY)
	@$(PY) bench/run.py --full $(PEER_OPTION)

clean:
	rm -rf _build .snakemake .pytest_cache
