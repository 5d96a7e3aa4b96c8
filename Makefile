VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
RUN = $(BIN)/python

.PHONY: demo bench bench-gpu test test-slow coverage style quality lock audit sbom licences clean

# The stamps make an environment once, and again when the requirements change.
$(VENV)/installed: requirements.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt requirements-formats.txt requirements-remote.txt requirements-ray.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	touch $@

demo: $(VENV)/installed
	$(RUN) cli.py demo

test: $(VENV)/installed-dev
	$(RUN) -m pytest -n auto --maxprocesses 4

test-slow: $(VENV)/installed-dev
	$(RUN) -m pytest -n auto --maxprocesses 4 -m "slow or not slow"

coverage: $(VENV)/installed-dev
	$(RUN) -m pytest -n auto --maxprocesses 4 --cov --cov-report=term:skip-covered --cov-fail-under=90

# PyTorch and pythae are for the comparison alone. Where `torch` would bring CUDA along, choose its CPU wheel first.
$(VENV)/installed-bench: $(VENV)/installed-dev benchmarks/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt
	touch $@

bench: $(VENV)/installed-bench
	$(RUN) -m benchmarks.speed.beside --seconds 3 --rounds 5
	$(RUN) -m benchmarks.speed.input
	$(RUN) -m benchmarks.speed.growth
	$(RUN) -m benchmarks.speed.ray_embedding
	$(RUN) -m benchmarks.speed.maps --million
	$(RUN) -m benchmarks.speed.time_to_quality mnist london orl
	$(RUN) -m benchmarks.speed.report

bench-gpu: $(VENV)/installed-bench
	$(RUN) -m benchmarks.speed.beside --gpu
	$(RUN) -m benchmarks.speed.report

style: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy vae_tf pipelines reports cli.py

# What we depend on: docs/supply.md. The tools live apart, so that they are no dependencies.
SUPPLY = .venv-supply

$(SUPPLY)/installed: supply/requirements.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check -r supply/requirements.txt
	touch $@

lock: $(SUPPLY)/installed
	$(SUPPLY)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" -c constraints.txt requirements.txt -o requirements.lock

audit: $(SUPPLY)/installed
	$(SUPPLY)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

sbom: $(VENV)/installed $(SUPPLY)/installed
	$(SUPPLY)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-file sbom.json $(RUN)

licences: $(VENV)/installed
	$(RUN) supply/licences.py > docs/licences.md

clean:
	rm -rf $(VENV) $(SUPPLY) sbom.json .pytest_cache .mypy_cache .ruff_cache .hypothesis
