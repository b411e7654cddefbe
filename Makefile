# Each target does all its own set-up, in .venv; nothing else on the machine changes.
PYTHON ?= python3
VENV := .venv
ARGS ?=
# Most tests wait for servers, so as many files at once as there are cores; in this order the slow ones are not the last.
AT_ONCE := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-crash apiserver image lint lock bench clean

demo: $(VENV)/.ready
	@$(VENV)/bin/tidegate demo $(ARGS)

test: $(VENV)/.ready
	@$(VENV)/bin/python tools/apiserver.py --optional >/dev/null
	@$(VENV)/bin/pytest $(AT_ONCE) $(ARGS)

test-crash: $(VENV)/.ready
	@TIDEGATE_RANDOM_KILLS=100 TIDEGATE_RACE_ROUNDS=200 $(VENV)/bin/pytest -m crash $(ARGS)

apiserver: $(VENV)/.ready
	@$(VENV)/bin/python tools/apiserver.py

image: $(VENV)/.ready
	@$(VENV)/bin/python tools/image/build.py $(ARGS)

lint: $(VENV)/.ready
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/deptry src
	@$(VENV)/bin/python tools/check_lock.py

bench: $(VENV)/.ready
	@$(VENV)/bin/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.ready: pyproject.toml uv.lock tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py $(VENV)
	@touch $@
