# Every recipe is a script or a cargo command that says what it does; `make help` lists them.
CARGO_FLAGS := --release --locked --workspace
# The expected files of the golden tests, the charts' copy of the CRD among them, are written, not compared.
GOLDEN := EXPECTORATE=overwrite

.DEFAULT_GOAL := help
.PHONY: help preflight setup build fmt lint deny doc quick unit soak gitops golden guests bitcoind images chart test bench bench-quick fuzz-smoke kind-up kind-down gitops-up demo demo-down

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1@\2/p' $(MAKEFILE_LIST) | while IFS=@ read -r name text; do \
	  printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: ## the whole loop on this machine: cluster, node, operator, two indexers
	@scripts/demo

demo-down: ## removes the demo, its cluster, and the engine if we started it
	@scripts/kind-down

test: ## everything that must hold before a merge, on real parts
	@scripts/test

preflight: ## says within seconds what this machine lacks for `make test`
	@scripts/preflight test

setup: ## installs what is missing on a Debian machine
	@scripts/setup

build: ## both binaries
	cargo build $(CARGO_FLAGS) --bins --examples

fmt: ## formats the Rust code
	cargo fmt --all

lint: ## formatting, imports, prose, clippy and shellcheck, warnings are errors
	cargo fmt --all --check
	scripts/circles
	scripts/prose
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	scripts/shell-lint

deny: ## licences, advisories and sources of all dependencies (needs cargo-deny)
	cargo deny --workspace check

doc: ## documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

quick: ## tests of crds, operator and the checks, unoptimised: no RocksDB, no wasmtime, no root
	@scripts/preflight quick
	cargo test --locked --package crds --package operator --package checks

unit: ## the tests that need no cluster
	cargo test $(CARGO_FLAGS) --lib --bins
	cargo test $(CARGO_FLAGS) --exclude e2e --test '*'

soak: ## the tests that kill, damage and fork, at full length, and those with Flux
	SHREWD_SOAK=1 cargo test $(CARGO_FLAGS) --lib storm
	SHREWD_SOAK=1 cargo test $(CARGO_FLAGS) --exclude e2e --test crash --test faults --test source_faults -- --nocapture
	@scripts/gitops

gitops: ## the product delivered by Flux from git, on the cluster
	@scripts/gitops

golden: guests ## writes what the golden tests compare with; review the difference
	$(GOLDEN) cargo test $(CARGO_FLAGS) --exclude e2e
	scripts/digests write

guests: ## compiles the guest modules into target/guests
	@tests/guests/build

bitcoind: ## a real Bitcoin node in the cache; prints its folder
	@tests/node/bitcoind path

bench: build guests ## figures of the indexer as a table, and target/bench.json
	cargo bench --locked --workspace --bench bench

bench-quick: build guests ## a few ratios on a short chain; fails when one is far off
	cargo bench --locked --workspace --bench bench -- --quick

fuzz-smoke: ## looks for inputs that break a property of the indexer, FUZZ_SECONDS (60) for each target
	@scripts/fuzz-smoke

kind-up: ## a kind cluster of our own (and a Docker engine if none answers)
	@scripts/kind-up

kind-down: ## removes it (and the engine if we started it)
	@scripts/kind-down

gitops-up: ## Flux, a registry and a git server in that cluster
	@tests/kind/gitops

images: build ## packs the images and loads them into the cluster
	@scripts/images --tests

chart: ## helm lint, and kubeconform on charts and examples; needs the cluster
	@scripts/chart
