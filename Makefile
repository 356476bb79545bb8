# demo · test · check · bench: each works on a fresh Debian machine with Python 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := shared agent coordinator

.PHONY: demo simulate test check chaos soak agent-memory bench bench-verdict lock clean help

help:
	@echo "make demo    release a web shop at noon, on this machine (KEEP=1 leaves it running)"
	@echo "make test    every test, on real parts"
	@echo "make check   formatting, lint, types, import contracts"
	@echo "make chaos   what make test has no time for: kills at every point, long partitions, a broker in every trouble"
	@echo "make soak    200 rollouts of 100 MB in a row, with faults and load (ARGS='--rollouts 20 --size 10' is quick)"
	@echo "make agent-memory   100 releases of 100 MB, and what two agents keep of them"
	@echo "make simulate   10,000 rollouts in worlds that break, on a clock that jumps (SEED=7: one, with its history)"
	@echo "make bench   what we claim, measured beside what you would pick instead"
	@echo "make bench-verdict   the verdict beside other rules, on the same rollouts (ARGS='--worlds 5 --faults 5' is quick)"

demo: $(READY)
	@$(BIN)/python -m examples.webshop

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# ROLLOUTS=n, FIRST=seed; SEED=n plays one with its history; BROKEN=name breaks the code on purpose. docs/simulation.md
simulate: $(READY)
	@PYTHONPATH=tests:. $(BIN)/python -m simulation.run $(if $(ROLLOUTS),--rollouts $(ROLLOUTS)) \
		$(if $(FIRST),--first $(FIRST)) $(if $(SEED),--seed $(SEED)) $(if $(BROKEN),--broken $(BROKEN))

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy shared/src agent/src coordinator/src tests examples bench
	$(BIN)/lint-imports

# One process after the other: each has a broker and a fleet of its own, and times are measured.
chaos: $(READY)
	NOONDAY_CHAOS=1 $(BIN)/python -m pytest -rP --durations=20 tests/chaos $(ARGS)

soak: $(READY)
	@PYTHONPATH=tests:. $(BIN)/python -m soak.run $(ARGS)

agent-memory: $(READY)
	@PYTHONPATH=tests:. $(BIN)/python -m soak.agent_memory $(ARGS)

bench: $(READY)
	@packaging/install-tools.sh sshd:openssh-server ssh:openssh-client
	@$(BIN)/python -m bench

# Real logs beside the generator's, where NOONDAY_BENCH_DATA names their folder.
bench-verdict: $(READY)
	@$(BIN)/python -m bench.verdict $(ARGS)

$(READY): requirements.lock pyproject.toml $(PACKAGES:%=%/pyproject.toml)
	@packaging/install-tools.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps $(PACKAGES:%=-e ./%)
	@touch $(READY)

# The versions that tests ran with. The distributions themselves ask for ranges.
lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-package noonday-shared --no-emit-package noonday-agent --no-emit-package noonday-coordinator \
		--python-version 3.11 --group dev -o requirements.lock pyproject.toml
	rm -rf .venv-lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
