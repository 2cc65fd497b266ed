//! Figures of the whole indexer, on a real node and a chain that is the same every time.
//!
//! `make bench` prints them as a table and writes `target/bench.json`; `make bench-quick` measures a few ratios on a short
//! chain and fails when one of them is far off; `make bench-scale` lets an index grow to the size of mainnet's;
//! `make bench-copies` copies one from pod to pod, and to an object storage and back. Every ratio is between measurements of one run, taken in turns. What is measured is the program itself, through its ports
//! and its folder.
#![allow(clippy::expect_used, clippy::print_stdout)] // A program for developers: whatever goes wrong ends it, and it prints figures.

mod alone;
mod bench;
#[path = "../../tests/support/cgroup.rs"]
mod cgroup;
mod chain;
mod copies;
mod disk;
mod load;
#[path = "../../tests/support/node.rs"]
mod node;
mod ops;
#[path = "../../tests/support/ports.rs"]
mod ports;
#[path = "../../tests/support/preload.rs"]
mod preload;
mod progress;
mod recorded;
mod reorgs;
mod report;
#[path = "../../tests/support/s3.rs"]
mod s3;
mod scale;
mod sync;
mod syncs;
mod views;
mod wide;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Parser;

use bench::Bench;
use chain::{Chain, Shape};
use report::Report;

/// Some minutes.
const FULL: Shape = Shape {
    small: 12_000,
    light: 15_000,
    dense: 15_300,
};
/// About a minute, for every change.
const QUICK: Shape = Shape {
    small: 150,
    light: 750,
    dense: 790,
};

/// A name, and what measures the figures.
type Group = (&'static str, fn(&mut Bench));

/// The groups of figures, in the order they are measured in. `reorgs` works on the index that `views-in-sync` leaves.
const GROUPS: [Group; 7] = [
    ("dense", syncs::dense),
    ("light", syncs::light),
    ("empty", syncs::empty),
    ("wide", wide::wide),
    ("views-in-sync", views::in_sync),
    ("reorgs", reorgs::reorgs),
    ("tip", views::at_tip),
];

/// Measures the indexer.
#[derive(Parser)]
struct Arguments {
    /// A few ratios on a short chain.
    #[arg(long, conflicts_with_all = ["only", "scale"])]
    quick: bool,
    /// One group of figures: dense, light, empty, wide, views-in-sync, reorgs or tip.
    #[arg(long, value_name = "GROUP")]
    only: Option<String>,
    /// A module to measure instead of our own, in the groups that compare a sync with its guest: dense, light and wide.
    #[arg(long, value_name = "FILE", conflicts_with = "scale")]
    guest: Option<PathBuf>,
    /// Lets an index grow to so many million rows, 300 if nothing else is said.
    #[arg(
        long,
        value_name = "MILLIONS",
        num_args = 0..=1,
        default_missing_value = "300",
        value_parser = clap::value_parser!(u32).range(4..=100_000),
        conflicts_with = "only"
    )]
    scale: Option<u32>,
    /// Copies an index of so many gigabytes, 2 if nothing else is said.
    #[arg(
        long,
        value_name = "GIGABYTES",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=1_000),
        conflicts_with_all = ["only", "quick", "guest", "scale"]
    )]
    copies: Option<u32>,
    /// Cargo calls every bench with this.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = |name, default: &str| env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let dir = folder("SHREWD_BENCH_DIR", &target.join("bench").to_string_lossy());
    let guests = folder("SHREWD_GUESTS", &target.join("guests").to_string_lossy());
    fs::create_dir_all(&target).expect("make the folder target");
    let started = Instant::now();
    let result = match (arguments.scale, arguments.copies) {
        (Some(rows_millions), _) => scale::run(&dir, &guests, &target, rows_millions),
        (_, Some(gigabytes)) => copies::run(&dir, &guests, &target, gigabytes),
        (None, None) => measure(&arguments, dir, guests, &target),
    };
    println!("{:.0} s in all", started.elapsed().as_secs_f64());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// All figures, those of one group, or a few ratios, which are the only ones that must reach their bars.
fn measure(arguments: &Arguments, dir: PathBuf, guests: PathBuf, target: &Path) -> Result<(), String> {
    let (shape, node) = if arguments.quick {
        (QUICK, "node-quick")
    } else {
        (FULL, "node")
    };
    let started = Instant::now();
    let mut bench = Bench {
        chain: Chain::provide(&dir.join(node), shape),
        guests,
        guest: arguments.guest.clone(),
        report: Report::default(),
        dir,
    };
    println!(
        "chain of {} blocks: {:.0} s",
        shape.dense,
        started.elapsed().as_secs_f64()
    );
    if arguments.quick {
        syncs::quick(&mut bench);
        wide::quick(&mut bench);
        let missed = bench.report.missed();
        return if missed.is_empty() {
            Ok(())
        } else {
            Err(format!("far off: {}", missed.join(", ")))
        };
    }
    let only = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    for (_, measure) in GROUPS.iter().filter(|(name, _)| only(name)) {
        measure(&mut bench);
    }
    bench.report.print();
    report::write(&target.join("bench.json"), &bench.report.json());
    Ok(())
}
