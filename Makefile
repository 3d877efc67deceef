# Everything a newcomer needs: `make serve` runs the service, `make demo` a call through it.
# Each target installs what it needs and is missing, and says so; see tools/install.

CONFIG ?= maskline.toml
BIN := .venv/bin
SOAK_RATE ?= 20
# Tests start thousands of programs. Each would compile all its modules anew if this forbade it to
# keep them.
export PYTHONDONTWRITEBYTECODE :=
# What make test plays on one database, because it takes long.
ON_BOTH := $(addprefix tests/contract/test_,clients.py openapi_live.py programs.py throttling.py walk.py)

.PHONY: help serve demo test check format bench fuzz soak

help:
	@echo "make serve   run the service; settings: CONFIG=$(CONFIG)"
	@echo "make demo    two phones, a masked call between them, and what the API answers"
	@echo "make test    every check and every test"
	@echo "make check   lint, format and types alone"
	@echo "make format  write the code in the house's format, and the generated pages of the docs"
	@echo "make fuzz    HTTP, the command line, SMPP and SIP under random input, some 50 minutes"
	@echo "make soak    eight processes over one database, 400,000 creates and kills: an hour;"
	@echo "             then 300,000 texts while their relay is killed 150 times: 40 minutes;"
	@echo "             then calls with every kind of ending: half an hour; before that, what"
	@echo "             make test plays on SQLite alone is played on both databases"
	@echo "make bench   the figures of docs/performance.md, measured here"

serve:
	@tools/install serve
	@exec $(BIN)/maskline serve --config "$(CONFIG)"

demo:
	@tools/install demo
	@exec $(BIN)/python demo --config "$(CONFIG)"

test: check
	@tools/client-venvs
	@$(BIN)/pytest --cache-clear --numprocesses auto --dist worksteal || $(BIN)/python tests/second_try.py $$?

check:
	@tools/install test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format:
	@tools/install test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	@$(BIN)/python tools/reference
	@$(BIN)/python -m maskline.settings >docs/guides/configuration.md

fuzz:
	@tools/install fuzz
	@tools/client-venvs
	$(BIN)/python tests/smpp_fuzz.py build/fuzz/smpp -max_total_time=600 -max_len=2000
	$(BIN)/python tests/fuzz_mask.py -max_total_time=600
	env MASKLINE_FUZZ_REQUESTS=100000 $(BIN)/pytest --numprocesses auto --dist loadscope \
		tests/unit/test_web_fuzz.py tests/unit/test_web_tampering.py \
		tests/unit/test_databases_agree.py
	env MASKLINE_ALL_FAULTS=1 $(BIN)/pytest -s tests/acceptance/test_leak_faults.py
	@exec env MASKLINE_FUZZ=20000 $(BIN)/pytest tests/contract/test_cli_fuzz.py

soak:
	@tools/install test
	@tools/client-venvs
	@env MASKLINE_ALL_DATABASES=yes $(BIN)/pytest $(ON_BOTH)
	@env MASKLINE_SOAK=50000 $(BIN)/pytest tests/acceptance/test_many_processes.py
	@env MASKLINE_SOAK=100000 $(BIN)/pytest -s tests/acceptance/test_text_soak.py
	@exec env MASKLINE_SOAK_SECONDS=1800 MASKLINE_SOAK_RATE=$(SOAK_RATE) \
		$(BIN)/pytest -s tests/acceptance/test_call_soak.py

bench:
	@tools/install bench
	@exec $(BIN)/python bench
