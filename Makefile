# How to build and test: see CONTRIBUTING.md.

export FUZZTIME

.NOTPARALLEL:
.PHONY: test setup audit fmt-check lint race unit fuzz soak browser types conformance bench bench-short bench-setup bench-push bench-push-short bench-xmpp bench-xmpp-short bench-scale bench-scale-short bench-nodes bench-nodes-short

# Everything below; fails when any of it fails.
test:
	@scripts/test

# Installs what the tests need.
setup:
	@scripts/setup

fmt-check:
	@scripts/fmt-check

lint: fmt-check
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff

# What the race detector would falsify or hide is run without it, too: all but
# the packages that start whole programs.
unit:
	@scripts/go-test.mjs -count=1 $$(go list ./... | grep -vE '/(bench|test|cmd)/|/internal/xmpptest$$')

race:
	@scripts/go-test.mjs -count=1 -race ./...

# Known vulnerabilities of dependencies, where their databases can be reached.
audit:
	@scripts/audit

# Every fuzz target, briefly or for FUZZTIME.
fuzz:
	@scripts/fuzz

# Sessions come and go for so long, and leave nothing behind. Linux only.
SOAK ?= 30m
soak:
	go run ./bench/soak -for $(SOAK)

# The client in a real Chromium.
browser:
	@scripts/browser

types:
	@scripts/types

# Writes docs/conformance.md anew; what it says of tests, make test checks.
conformance:
	go run ./internal/conformance

# All that is measured against other servers, two hours on a machine with
# nothing else to do; writes the tables and plots of docs/benchmarks.md. Linux only.
bench: bench-push bench-xmpp

# The same once and briefly, in five minutes; writes to the terminal.
bench-short: bench-push-short
	go run ./bench/xmpp -short -warmup 500ms -duration 1s -hold 2s

# Installs the other push servers.
bench-setup:
	@scripts/bench-setup

# Push against nchan, Centrifuge, Socket.IO and bare servers.
bench-push: bench-setup
	go run ./bench/push -write docs/benchmarks.md -plots docs/benchmarks

bench-push-short: bench-setup
	go run ./bench/push -short

# The gateway against Prosody and ejabberd, half an hour on a machine with
# nothing else to do; writes its tables into docs/benchmarks.md. Linux only.
bench-xmpp:
	go run ./bench/xmpp -write docs/benchmarks.md

# The same once and briefly, in less than five minutes; writes to the terminal.
bench-xmpp-short:
	go run ./bench/xmpp -short

# What one process holds past the limit of open files, half an hour and 8 GB of
# memory; writes its tables into docs/scaling.md. Linux only.
bench-scale:
	go run ./bench/scale -write docs/scaling.md

# A tenth of it once, in two minutes; writes to the terminal.
bench-scale-short:
	go run ./bench/scale -short

# What several nodes on NATS cost and carry, in three minutes; writes its tables into
# docs/scaling.md. Linux only.
bench-nodes:
	go run ./bench/nodes -write docs/scaling.md

# Less of everything, in a minute; writes to the terminal.
bench-nodes-short:
	go run ./bench/nodes -short
