# Every recipe is a script or a cargo command that says what it does; `make help` lists them.
CARGO_FLAGS := --release --locked --workspace
# The expected files of the golden tests, the charts' copy of the CRD among them, are written, not compared.
GOLDEN := EXPECTORATE=overwrite

.DEFAULT_GOAL := help
.PHONY: help try node-image release reproduce preflight setup build fmt lint deny book pictures doc quick unit soak monitoring gitops golden guests bitcoind images chart test bench bench-quick bench-scale bench-copies bench-operator fuzz-smoke kind-up kind-down gitops-up demo demo-down

help: ## this list
	@sed -n 's/^##@ \(.*\)/@\1/p; s/^\([a-z-]*\):.*## \(.*\)/\1@\2/p' $(MAKEFILE_LIST) | while IFS=@ read -r name text; do \
	  if [ -z "$$name" ]; then printf '%s\n' "$$text"; else printf '  make %-14s %s\n' "$$name" "$$text"; fi; done

##@ Try it
demo: ## the product on this machine: a kind cluster, a Bitcoin node, the operator, two indexers
	@scripts/demo

try: ## an index and a view's answer without root, cluster, node or Go; a minute once it is built
	@scripts/try

demo-down: ## removes the demo, its cluster, and the Docker engine if the demo started it
	@scripts/kind-down

preflight: ## what this machine lacks for `make test`, within seconds
	@scripts/preflight test

setup: ## installs missing packages on Debian, and the pinned Rust
	@scripts/setup

##@ Build and check
build: ## all programs, optimised
	cargo build $(CARGO_FLAGS) --bins --examples

quick: ## tests of crds, operator and kubectl-shrewd, unoptimised; no RocksDB, no wasmtime, no root
	@scripts/preflight quick
	cargo test --locked --package crds --package operator --package kubectl-shrewd

fmt: ## formats the Rust code
	cargo fmt --all

lint: ## formatting, imports, prose, links, the book's commands, clippy and shellcheck; warnings are errors
	cargo fmt --all --check
	scripts/circles
	scripts/prose
	scripts/links
	scripts/commands
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	scripts/shell-lint

deny: ## licences, advisories and sources of all dependencies (needs cargo-deny)
	cargo deny --workspace check

pictures: ## records the chart of memory again, and draws the pictures of the book; `make golden` only draws
	@scripts/pictures

doc: ## documentation of the crates, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

book: ## the book of docs/ as HTML in target/book; compiles mdBook the first time
	@scripts/book

##@ Test
test: ## what a merge needs: checks, all crates' tests, charts, the product on a kind cluster; not soak, Flux, fuzz, deny
	@scripts/test

unit: ## all tests that need no cluster
	cargo test $(CARGO_FLAGS) --lib --bins
	cargo test $(CARGO_FLAGS) --exclude e2e --test '*'

soak: node-image build guests ## crash, damage, fork and fault tests at full length, copies, bench-operator, monitoring, Flux, an upgrade, the book
	SHREWD_SOAK=1 cargo test $(CARGO_FLAGS) --lib storm
	SHREWD_SOAK=1 cargo test $(CARGO_FLAGS) --exclude e2e --test crash --test faults --test source_faults -- --nocapture
	SHREWD_SOAK=1 cargo test $(CARGO_FLAGS) --test server -- --ignored --nocapture whichever_call
	cargo bench --locked --workspace --bench bench -- --copies
	cargo bench --locked --workspace --bench operator
	@tests/monitoring/run
	@tests/monitoring/cluster
	@scripts/upgrade-test
	@scripts/gitops
	@scripts/book

monitoring: ## alerts and dashboards, by promtool, and by a Prometheus on the kind cluster; compiles it the first time
	@tests/monitoring/run
	@tests/monitoring/cluster

gitops: ## tests of the product delivered by Flux from git, on the kind cluster
	@scripts/gitops

fuzz-smoke: ## fuzzes the indexer, FUZZ_SECONDS (60) for each target
	@scripts/fuzz-smoke

bench: build guests ## measures the indexer: a table, and target/bench.json
	cargo bench --locked --workspace --bench bench

bench-quick: build guests ## a few ratios on a short chain; fails when one is far off
	cargo bench --locked --workspace --bench bench -- --quick

bench-scale: build guests ## lets an index grow to 300 million rows, or ROWS million; 45 GB of disk, up to 25 minutes
	cargo bench --locked --workspace --bench bench -- --scale $(ROWS)

bench-copies: build guests ## copies an index of 2 GB, or GB: pod to pod, to an S3 server and back; 16 GB of disk
	cargo bench --locked --workspace --bench bench -- --copies $(GB)

bench-operator: node-image ## what the operator costs with 100 and 1,000 Indexers on a real API server; fails when a bar is missed
	cargo bench --locked --workspace --bench operator

golden: guests ## rewrites the golden files; review the difference
	$(GOLDEN) cargo test $(CARGO_FLAGS) --exclude e2e
	scripts/digests write

guests: ## the guest modules of tests and examples, in target/guests
	@tests/guests/build

bitcoind: ## a Bitcoin node in the cache; prints its folder
	@tests/node/bitcoind path

##@ The test cluster, a product of its own: tests/kind
node-image: ## the node image of the cluster, in which tests without nodes have their API server; starts an engine if none answers
	@scripts/node-image

kind-up: ## the kind cluster `shrewd`, and a Docker engine if none answers
	@scripts/kind-up

kind-down: ## removes the cluster, and the engine if kind-up started it
	@scripts/kind-down

gitops-up: ## installs Flux, a registry and a git server in that cluster
	@tests/kind/gitops

images: build ## packs the images and loads them into the cluster
	@scripts/images --tests

chart: ## validates charts, examples and integrations against the cluster's API server; needs its CRD
	@scripts/chart
	@scripts/examples

##@ Release
release: ## all of a release in target/release-VERSION, after `make test`; TAG=yes tags it, nothing is pushed
	@TESTS=$(TESTS) TAG=$(TAG) scripts/release $(VERSION)

reproduce: build guests ## builds the commit in a second folder and compares every byte of what a release has
	@scripts/reproduce
