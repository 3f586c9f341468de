# Everything that one does with tidegate's source. `make` alone lists it.
# Each target says what it does; what is missing is installed through apt (as root) or named with the exact command.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
target := $(or $(CARGO_TARGET_DIR),target)
say = @printf '\n== %s\n'

.PHONY: help demo test transparency soak conformance deps build lint bench agree compare deny cargo

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  DEMO_SECONDS=10 make demo             a demo that ends by itself"
	@echo "  make transparency SEEDS=1 TIDEGATE_SEED=7 TIDEGATE_MODE=session TIDEGATE_SERVER=mysql9   one program again"
	@echo "  make compare ARGS='--clients 8,64'    benches/compare --help lists the options"

demo: cargo ## tidegate between some hundred clients and a private MariaDB; until Ctrl-C
	$(say) "what the demo needs: MariaDB's server and client, sysbench, python3"
	@demo/install cc mariadbd mariadb sysbench python3
	$(say) "release build (the first one takes some minutes)"
	@$(CARGO) build --release --locked --quiet
	@TIDEGATE=$(target)/release/tidegate demo/run

test: cargo deps lint ## all tests, with real servers and drivers
	$(say) "tests: unit, tests/it with the real servers"
	@rm -f $(target)/tmp/skipped
	@RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --locked --quiet
	@[ ! -s $(target)/tmp/skipped ] || { echo; echo "NOT TESTED, for want of a server:"; sort -u $(target)/tmp/skipped; }

transparency: cargo deps ## random programs, direct and through tidegate, compared to the byte (SEEDS=1000)
	$(say) "the same programs direct and through tidegate"
	@SEEDS=$(or $(SEEDS),1000) $(CARGO) test --locked --quiet --test it transparency:: -- --nocapture --test-threads 2

soak: cargo deps ## what goes by time, for longer: crossings, recycling, frameworks (LONG=600 seconds each)
	$(say) "many clients on few backends, $(or $(LONG),600) seconds for each test"
	@LONG=$(or $(LONG),600) $(CARGO) test --locked --quiet --test it -- crossing:: recycling:: frameworks:: --nocapture --test-threads 1

conformance: cargo deps ## MariaDB's own test suite through tidegate (ARGS='--tests main.alias')
	@$(CARGO) build --release --locked --quiet
	$(say) "MariaDB's own test suite, direct and through tidegate"
	@tests/conformance/run --tidegate $(target)/release/tidegate $(ARGS)

deps: ## install what the tests need
	$(say) "servers for the tests: MariaDB, MySQL 5.6, MySQL 9"
	@tests/servers/install
	$(say) "drivers for the tests"
	@tests/drivers/install >/dev/null

build: cargo ## release build
	$(CARGO) build --release --locked

lint: cargo ## rustfmt and clippy, warnings are errors
	$(say) "rustfmt, clippy"
	@$(CARGO) fmt --check
	@$(CARGO) clippy --all-targets --locked --quiet -- -D warnings

bench: cargo ## micro-benchmarks (criterion)
	$(CARGO) bench --locked --benches

agree: cargo ## recording, simulation and sweep of the demo's traffic, side by side (ARGS='..')
	@demo/install cc mariadbd mariadb sysbench python3
	@$(CARGO) build --release --locked --quiet
	@benches/agree --tidegate $(target)/release/tidegate $(ARGS)

compare: cargo ## sysbench direct, through HAProxy, tidegate and what else is installed, side by side (ARGS='..')
	@demo/install cc mariadbd mariadb sysbench haproxy python3
	@$(CARGO) build --release --locked --quiet
	@benches/compare --tidegate $(target)/release/tidegate $(ARGS)

deny: cargo ## licences, bans, sources and advisories of all dependencies
	@command -v cargo-deny >/dev/null || { echo "no cargo-deny: cargo install cargo-deny --locked"; exit 1; }
	$(CARGO) deny --all-features check

cargo:
	@command -v $(CARGO) >/dev/null || { echo "no $(CARGO): install Rust from https://rustup.rs"; exit 1; }
