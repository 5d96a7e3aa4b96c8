VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
RUN = $(BIN)/python

.PHONY: demo test test-slow style quality clean

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

style: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy vae_tf pipelines reports cli.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
