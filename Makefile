PYTHON ?= python3
VENV ?= .venv
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs-installed
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
DEMO := config/examples/demo/config.yaml
# Which tests: those that take minutes are left to .ci/run.
TESTS ?= not (long or slurm or deployment)
PROFILE := $(HOME)/.config/snakemake/slurm

export PATH := $(abspath $(VENV))/bin:$(PATH)

# What took long in work/: trainings that go on where they were, with what says who asked for them,
# and downloads.
KEPT := finetune from_scratch decoders upscalers detectors orders base-model base-model-x4 base_models extractors

.PHONY: help install demo test lint docs schemas base-model base-model-x4 slurm-profile clean clean-all

help:
	@echo "make demo          install, then make synthetic images from real ones and judge them"
	@echo "make test          install, then run the tests"
	@echo "make lint          check style, the rules and the generated schemas"
	@echo "make docs          write the documentation as a site, site/index.html"
	@echo "make schemas       write config/schemas and the tables of docs/configuration.md anew"
	@echo "make base-model    train the embedded base model by its recipe (more than an hour on two cores)"
	@echo "make base-model-x4 train the embedded upscaler (three quarters of an hour)"
	@echo "make slurm-profile install profiles/slurm, so that snakemake --profile slurm finds it"
	@echo "make clean         remove what runs made: results, logs, work, but trainings and downloads in work"
	@echo "make clean-all     remove these, too"

install: $(STAMP)

$(STAMP): pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check --constraint envs/constraints.txt --editable '.[test]'
	pip install --quiet --disable-pip-version-check --no-deps ndev-sampledata==0.0.3
	touch $(STAMP)

$(DOCS_STAMP): $(STAMP)
	pip install --quiet --disable-pip-version-check --constraint envs/constraints.txt --editable '.[docs]'
	touch $(DOCS_STAMP)

demo: install
	snakemake --configfile $(DEMO) --profile profiles/local --cores $(CORES)

# A process a core: more threads in each would be in each other's way.
test: install
	OMP_NUM_THREADS=1 pytest -n auto --dist loadfile -m "$(TESTS)"

lint: install
	ruff check .
	ruff format --check .
	snakefmt --check --line-length 100 Snakefile rules workflow
	snakemake --lint --configfile $(DEMO)
	python -m pipeline_lib schemas --check

docs: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

schemas: install
	python -m pipeline_lib schemas

base-model: install
	python scripts/build_base_model.py

base-model-x4: install
	python scripts/build_base_model.py --kind upscaler

slurm-profile:
	@if [ -e "$(PROFILE)" ] && [ ! -L "$(PROFILE)" ]; then \
	  echo "$(PROFILE) is there already, and is no link: rename it, or merge profiles/slurm into it"; exit 1; fi
	mkdir -p "$(dir $(PROFILE))"
	ln -sfn "$(CURDIR)/profiles/slurm" "$(PROFILE)"

clean:
	rm -rf results logs site .snakemake
	@if [ -d work ]; then \
	  find work -mindepth 1 -maxdepth 1 $(foreach name,$(KEPT),! -name $(name)) -exec rm -rf {} +; fi

clean-all: clean
	rm -rf work
