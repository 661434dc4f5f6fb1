# `make help` lists the targets. Two do all the set-up on a fresh machine: `sudo make run` and `sudo make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

OWNER    := scripts/as-owner.sh
RELEASE  := swift build -c release --static-swift-stdlib --product weir
BINARY   := .build/release/weir
TESTS    := .build/debug/weirPackageTests.xctest
PREFIX   ?= /usr/local
CONFIG   ?= /etc/weir/weir.yaml
UNIT_DIR ?= /etc/systemd/system
ARGS     ?=
BENCH    ?= all
SECONDS_EACH ?= 60

.PHONY: help setup root build run install uninstall test bench fuzz lint format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install the Debian packages that building, running and testing need
	@scripts/setup.sh build run test

build: ## Build the release binary, .build/release/weir
	@scripts/setup.sh build
	@echo "Building weir (release). A first build takes some minutes." >&2
	@$(OWNER) $(RELEASE)

root: # Said before a build of minutes, not after it
	@[ "$$(id -u)" -eq 0 ] || { echo "weir counts packets in the kernel and needs root. Run: sudo make run" >&2; exit 77; }

run: root build ## Build and run the sensor on the default interface; starts a local Redis if none answers
	@scripts/run.sh $(BINARY) $(ARGS)

install: build ## Install binary, default configuration and systemd unit
	install -D -s -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/weir
	test -e $(DESTDIR)$(CONFIG) || install -D -m 644 packaging/weir.yaml $(DESTDIR)$(CONFIG)
	install -d -m 755 $(DESTDIR)$(UNIT_DIR)
	sed 's|@PREFIX@|$(PREFIX)|; s|@CONFIG@|$(CONFIG)|' packaging/weir.service >$(DESTDIR)$(UNIT_DIR)/weir.service
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Installed. Start it with: systemctl enable --now weir"

uninstall: ## Remove what install put there; configuration and data stay
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl disable --now weir 2>/dev/null || true; fi
	rm -f $(DESTDIR)$(PREFIX)/bin/weir $(DESTDIR)$(UNIT_DIR)/weir.service
	@echo "Kept: $(CONFIG) and /var/lib/weir. Remove them by hand if you want them gone."

test: ## Run every test (as root, so that none skips for want of it)
	@scripts/setup.sh build test
	@echo "Building the tests. A first build takes some minutes." >&2
	@$(OWNER) swift build --build-tests --explicit-target-dependency-import-check error
	@[ "$$(id -u)" -eq 0 ] || echo "Not root: tests that need the kernel will skip. Use: sudo make test" >&2
	@$(TESTS) --testing-library swift-testing

bench: ## Measure; BENCH=name for one. Prints a table and one JSON line per measure
	@scripts/setup.sh build test bench
	@OWNER="$(OWNER)" bench/run.sh $(BENCH)

fuzz: ## Fuzz the parsers, SECONDS_EACH seconds per target
	@scripts/setup.sh build
	@$(OWNER) Tests/Fuzz/run.sh all $(SECONDS_EACH)

lint: ## Check formatting (building the tests checks imports)
	@$(OWNER) swift format lint --strict --recursive --parallel Package.swift Sources Tests bench

format: ## Format the sources in place
	@$(OWNER) swift format format --in-place --recursive --parallel Package.swift Sources Tests bench

clean: ## Remove what was built
	rm -rf .build
