//! What the operator costs: a real API server, the operator's own program, and Indexers of two pods each.
//!
//! `make bench-operator` prints figures as a table and writes `target/bench-operator.json`; it fails when one of them
//! misses its bar. Pods are simulated: `controller` makes them as a cluster's own controller and a kubelet do, and at the
//! address of each one `pods` answers as an indexer does. Processor and memory are those of the operator's process
//! alone, so a machine that is busy with other things does not change them much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // A program for developers: whatever goes wrong ends it.

mod cluster;
mod controller;
mod few;
mod many;
mod metrics;
mod pods;
mod reports;
mod table;
mod usage;
mod window;
// The tests use all of it.
#[allow(dead_code)]
#[path = "../../tests/server/support/mod.rs"]
mod support;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};

use table::Table;

/// Measures the operator.
#[derive(Parser)]
struct Arguments {
    /// How long Indexers at rest are watched, in seconds; those that sync for less. The bars are for 600.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(30..))]
    seconds: u64,
    /// One part.
    #[arg(long)]
    only: Option<Part>,
    /// How many Indexers there are in the part `many`; the bars are for 1,000.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=4_000))]
    indexers: u16,
    /// Cargo calls every bench with this.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 100 Indexers, at rest and then in a sync.
    Few,
    /// 1,000 Indexers, at rest and while the operator is replaced.
    Many,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let mut table = Table::default();
    let is_wanted = |part| arguments.only.is_none_or(|only| only == part);
    if is_wanted(Part::Few) {
        few::measure(Duration::from_secs(arguments.seconds), &mut table).await;
        table.print();
    }
    if is_wanted(Part::Many) {
        many::measure(usize::from(arguments.indexers), &mut table).await;
    }
    table.print();
    let file = target().join("bench-operator.json");
    table.write(&file);
    println!("{}; {:.0} s in all", file.display(), started.elapsed().as_secs_f64());
    match table.missed() {
        missed if missed.is_empty() => ExitCode::SUCCESS,
        missed => {
            println!("MISSED: {}", missed.join(", "));
            ExitCode::FAILURE
        }
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    let of_workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(of_workspace, PathBuf::from)
}
