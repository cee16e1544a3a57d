# Every door of the project; `make` alone lists them.  The environment is .venv.
.PHONY: help run unit check itest test fuzz bench docs clean
PY := .venv/bin/python -b
TRIAL := PYTHONPATH=. $(PY) -m twisted.trial

help: ; @sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile
.venv/made: setup.cfg tools/setup-venv ; tools/setup-venv
run: .venv/made ; @$(PY) tools/demo.py ## start the whole server on loopback ports, with a demo domain
unit: .venv/made ; $(TRIAL) -j2 $$(tools/unit-tests) ## the fast tests, no network
check: .venv/made ; PATH=.venv/bin:$$PATH tools/check ## style, types, floors, generated docs up to date
itest: .venv/made ; tools/setup-tests && PYTHONPATH=. $(PY) tools/integration_tests.py ## real clients and peers against the running daemon
test: check unit itest ## everything
fuzz: .venv/made ; MAILTWIST_EXAMPLES=20000 $(TRIAL) $$(tools/unit-tests) ## the property tests, many more examples
bench: .venv/made ; tools/setup-tests && $(PY) -m tests.bench ## speed beside Postfix and Dovecot
docs: .venv/made ; $(PY) tools/docs.py ## write the generated pages of docs/ and etc/
clean: ; rm -rf .venv build dist *.egg-info _trial_temp* var
