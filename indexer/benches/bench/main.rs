//! Figures of the whole indexer, on a real node and a chain that is the same every time.
//!
//! `make bench` prints them as a table and writes `target/bench.json`; `make bench-quick` measures a few ratios on a short
//! chain and fails when one of them is far off. Every ratio is between measurements of one run, taken in turns.
#![allow(clippy::expect_used, clippy::print_stdout)] // A program for developers: whatever goes wrong ends it, and it prints figures.

mod alone;
mod chain;
mod load;
#[path = "../../tests/support/node.rs"]
mod node;
mod report;
mod sync;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use indexer::store::Store;
use tokio_util::sync::CancellationToken;

use chain::{Chain, Shape};
use report::{
    Bar::{AtLeast, AtMost},
    Report, median, percentile,
};
use sync::{BlocksFrom, Setup, copy};

/// Some minutes.
const FULL: Shape = Shape {
    small: 12_000,
    light: 15_000,
    dense: 15_300,
};
/// Under a minute, for every change.
const QUICK: Shape = Shape {
    small: 150,
    light: 750,
    dense: 790,
};
/// The view that is asked for, of the guest `outpoints`: one read, 36 bytes.
const VIEW: &str = "tip";
const MIB: f64 = (1 << 20) as f64;

/// What all measurements share.
struct Bench {
    chain: Chain,
    guests: PathBuf,
    dir: PathBuf,
    report: Report,
}

fn main() {
    // Cargo calls every bench with `--bench`.
    let arguments: Vec<String> = env::args().collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments.iter().skip_while(|argument| *argument != "--only").nth(1);
    let folder = |name, default: &str| env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let dir = folder("SHREWD_BENCH_DIR", &target.join("bench").to_string_lossy());
    let (shape, node) = if quick { (QUICK, "node-quick") } else { (FULL, "node") };
    let started = Instant::now();
    let mut bench = Bench {
        chain: Chain::provide(&dir.join(node), shape),
        guests: folder("SHREWD_GUESTS", &target.join("guests").to_string_lossy()),
        report: Report::default(),
        dir,
    };
    println!(
        "chain of {} blocks: {:.0} s",
        shape.dense,
        started.elapsed().as_secs_f64()
    );
    if quick {
        bench.quick();
    } else {
        bench.full(only.map(String::as_str));
        bench.report.print();
        fs::create_dir_all(&target).expect("make the folder target");
        bench.report.write(&target.join("bench.json"));
    }
    println!("{:.0} s in all", started.elapsed().as_secs_f64());
    let missed = bench.report.missed();
    if quick && !missed.is_empty() {
        eprintln!("far off: {}", missed.join(", "));
        std::process::exit(1);
    }
}

impl Bench {
    /// Ratios only, with bars that are far from what is normal.
    fn quick(&mut self) {
        let (dense, ..) = self.ratio(self.chain.dense(), 3);
        self.report
            .add("dense_ratio", dense, "×", AtMost(2.5), "40 dense blocks");
        let (light, ..) = self.ratio(self.chain.light(), 3);
        self.report
            .add("light_ratio", light, "×", AtMost(6.0), "600 light blocks");
    }

    /// All figures, or those of one group; the last three work on the index that `views_in_sync` leaves behind.
    fn full(&mut self, only: Option<&str>) {
        type Group = (&'static str, fn(&mut Bench));
        const GROUPS: [Group; 7] = [
            ("dense", Bench::dense),
            ("light", Bench::light),
            ("empty", Bench::empty),
            ("views-in-sync", Bench::views_in_sync),
            ("unwinding", Bench::unwinding),
            ("store", Bench::store),
            ("views", Bench::views),
        ];
        for (_, measure) in GROUPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            measure(self);
        }
    }

    fn setup(&self, guest: &str, heights: std::ops::Range<u32>, db: &str) -> Setup {
        Setup {
            guest: self.guests.join(guest).with_extension("wasm"),
            from: BlocksFrom::Node(self.chain.node.url()),
            heights,
            db: self.dir.join(db),
        }
    }

    /// Syncs blocks, and runs them through the guest alone, in turns; gives the median of the ratios, the best of both
    /// times in seconds, the peak of the syncs, and the last measurement of the guest.
    fn ratio(&self, heights: std::ops::Range<u32>, turns: usize) -> (f64, f64, f64, u64, alone::Alone) {
        let setup = self.setup("outpoints", heights.clone(), "db");
        let module = alone::load(&setup.guest);
        let blocks = self.chain.blocks(heights);
        let (mut ratios, mut peak_bytes, mut last) = (Vec::new(), 0, alone::Alone::default());
        let (mut sync_s, mut alone_s) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..turns {
            last = alone::run(&module, &blocks);
            let sync = setup.sync();
            let (alone, sync_took) = (last.took.as_secs_f64(), sync.took.as_secs_f64());
            ratios.push(sync_took / alone);
            (sync_s, alone_s) = (sync_s.min(sync_took), alone_s.min(alone));
            peak_bytes = peak_bytes.max(sync.peak_bytes);
        }
        (median(ratios), sync_s, alone_s, peak_bytes, last)
    }

    fn dense(&mut self) {
        let heights = self.chain.dense();
        let count = heights.len() as f64;
        let (ratio, sync_s, alone_s, peak_bytes, mut alone) = self.ratio(heights, 3);
        let pairs = alone.pairs as f64 / count;
        let (sync_ms, alone_ms) = (sync_s * 1e3 / count, alone_s * 1e3 / count);
        let report = &mut self.report;
        report.add("dense_ratio", ratio, "×", AtMost(1.3), format!(
            "{count} dense blocks of {pairs:.0} pairs: whole process ÷ guest alone, median of 3 turns; best {sync_ms:.1} and {alone_ms:.1} ms a block"
        ));
        let beyond = (peak_bytes.saturating_sub(alone.guest_bytes)) as f64 / MIB;
        report.add(
            "rss_peak_mb",
            beyond,
            "MiB",
            AtMost(400.0),
            format!(
                "peak of that process less the guest's {:.0} MiB",
                alone.guest_bytes as f64 / MIB
            ),
        );
        self.refresh("refresh_dense_us_p50", "a dense", None, &mut alone);
    }

    /// Fresh instances, made after the one that ran a block was dropped.
    fn refresh(&mut self, name: &'static str, kind: &str, bar: Option<report::Bar>, alone: &mut alone::Alone) {
        let drop_us = percentile(&mut alone.drop_us, 50);
        let p50 = percentile(&mut alone.build_us, 50);
        self.report.add(
            name,
            p50,
            "µs",
            bar,
            format!("build a fresh instance, once for each of {} blocks; dropping one that ran {kind} block: {drop_us:.0} µs", alone.build_us.len()),
        );
    }

    fn light(&mut self) {
        let heights = self.chain.light();
        let count = heights.len() as f64;
        let (ratio, sync_s, alone_s, _, mut alone) = self.ratio(heights, 3);
        let per_s = count / sync_s;
        self.report.add(
            "light_blocks_per_s",
            per_s,
            "1/s",
            AtLeast(600.0),
            format!(
                "{count} blocks of some 20 transactions, REST; the guest alone {:.0}",
                count / alone_s
            ),
        );
        self.report.add(
            "light_ratio",
            ratio,
            "×",
            AtMost(1.5),
            "the same ÷ guest alone, median of 3 turns",
        );
        self.refresh("refresh_us_p50", "a light", Some(AtMost(50.0)), &mut alone);
        let p99 = percentile(&mut alone.build_us, 99);
        self.report.add("refresh_us_p99", p99, "µs", None, "the same");
    }

    fn empty(&mut self) {
        let heights = 0..self.chain.shape.small + 1;
        let files = BlocksFrom::Files(self.dir.join("node/regtest/blocks"));
        let rest = BlocksFrom::Node(self.chain.node.url());
        for (name, from, bar) in [
            ("empty_blocks_per_s_rest", rest, 2_000.0),
            ("empty_blocks_per_s_files", files, 8_000.0),
        ] {
            let setup = Setup {
                from,
                ..self.setup("plain", heights.clone(), "db-empty")
            };
            let runs = (0..3).map(|_| heights.len() as f64 / setup.sync().took.as_secs_f64());
            let value = median(runs.collect());
            self.report.add(
                name,
                value,
                "1/s",
                AtLeast(bar),
                format!("{} blocks, a guest that writes one pair, median of 3", heights.len()),
            );
        }
    }

    /// Queries while blocks are indexed.
    fn views_in_sync(&mut self) {
        let setup = self.setup("outpoints", self.chain.dense(), "db");
        let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
        let (mut took, mut slower) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let quiet = setup.sync().took.as_secs_f64();
            setup.fresh();
            let running = setup.start(true);
            running.listens();
            let stop = CancellationToken::new();
            let (port, stopped) = (running.port, stop.clone());
            // The first block takes a moment; asked before, it is said that nothing is indexed yet.
            std::thread::sleep(Duration::from_secs(3));
            let asking = runtime.spawn(load::paced(port, VIEW, Duration::from_millis(5), stopped));
            std::thread::sleep(Duration::from_secs_f64((quiet - 5.0).max(1.0)));
            stop.cancel();
            took.extend(runtime.block_on(asking).expect("the client"));
            slower.push((running.end().took.as_secs_f64() / quiet - 1.0) * 100.0);
        }
        let p99 = percentile(&mut took, 99);
        self.report.add(
            "view_while_sync_p99_ms",
            p99,
            "ms",
            AtMost(20.0),
            format!("{} views at 200 a second during dense syncs", took.len()),
        );
        self.report.add(
            "view_while_sync_slows",
            median(slower),
            "%",
            AtMost(10.0),
            "such a sync, next to one without views, median of 3 turns",
        );
    }

    /// Queries at the tip, and restarts there.
    fn views(&mut self) {
        let setup = self.setup("outpoints", self.chain.dense(), "db");
        let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
        let running = setup.start(false);
        running.ready();
        let time = Duration::from_secs(5);
        let per_s = median(
            (0..3)
                .map(|_| runtime.block_on(load::throughput(running.port, VIEW, 8, time)))
                .collect(),
        );
        self.report.add(
            "view_per_s",
            per_s,
            "1/s",
            AtLeast(20_000.0),
            "after merging; 8 connections, clients on the same processors, median of 3",
        );
        drop(running);
        let restarts = (0..3).map(|_| setup.start(false).ready().as_secs_f64() * 1e3);
        let keys = Store::open_existing(&setup.db.join("store"))
            .expect("open the store")
            .stats()
            .entries as f64
            / 1e6;
        self.report.add(
            "restart_ms",
            median(restarts.collect()),
            "ms",
            AtMost(1_500.0),
            format!("SIGKILL at the tip to ready, {keys:.1} million keys, median of 3"),
        );
    }

    fn unwinding(&mut self) {
        let db = self.dir.join("db/store");
        for (name, depth, bar) in [("reorg_6_ms", 6, 500.0), ("reorg_100_ms", 100, 8_000.0)] {
            let times = (0..3).map(|_| {
                let scratch = self.dir.join("db-unwound");
                copy(&db, &scratch);
                let store = Store::open_existing(&scratch).expect("open the store");
                let tip = store.tip().expect("a tip").at.height;
                let started = Instant::now();
                let undone = store
                    .unwind(Some(indexer::chain::Height(tip.0 - depth)))
                    .expect("unwind");
                assert_eq!(undone, depth);
                started.elapsed().as_secs_f64() * 1e3
            });
            let value = median(times.collect());
            self.report.add(
                name,
                value,
                "ms",
                AtMost(bar),
                format!("{depth} dense blocks undone, median of 3"),
            );
        }
        fs::remove_dir_all(self.dir.join("db-unwound")).expect("remove the scratch copy");
    }

    fn store(&mut self) {
        let store = Store::open_existing(&self.dir.join("db/store")).expect("open the store");
        let before = store.stats();
        let started = Instant::now();
        store.compact().expect("compact");
        let took = started.elapsed().as_secs_f64();
        let after = store.stats();
        let ratio = |stats: &indexer::store::Stats| stats.disk_bytes as f64 / stats.raw_bytes as f64;
        self.report.add("store_ratio", ratio(&after), "×", AtMost(0.55), format!(
            "bytes on disk ÷ {:.0} MB of pairs, all heights readable; before compaction {:.2}, which took {took:.1} s",
            after.raw_bytes as f64 / 1e6, ratio(&before)
        ));
    }
}
