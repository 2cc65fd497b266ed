//! The guest `wide`, which reads old rows all over the index: what growth costs shows here first.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{
    bench::Bench,
    chain::{Chain, Shape},
    load::{self, Question},
    progress::Progress,
    report::{Bar::AtMost, median},
    sync::{BlocksFrom, Setup},
};

/// Twelve million rows.
const BLOCKS: u32 = 300;
/// As of which the same reads are made once more.
const OLD_HEIGHT: u32 = 100;
/// Reads of one view.
const VIEW_READS: u32 = 100_000;
/// Blocks of the ratio for every change.
const QUICK_BLOCKS: u32 = 60;
/// Between two looks at how far a sync is: a block takes as long.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A sync of so few blocks that takes longer does not get anywhere.
const PATIENCE: Duration = Duration::from_secs(120);

/// A sync, compared with the guest alone, and views with many reads.
pub(crate) fn wide(bench: &mut Bench) {
    let compared = bench.compare("wide", 0..BLOCKS, 3);
    let rows = compared.alone.pairs as f64 / 1e6;
    let (sync_ms, alone_ms) = (compared.sync_ms(), compared.alone_ms());
    bench.report.add(
        "wide_ms_12m",
        sync_ms,
        "ms",
        AtMost(30.0),
        format!("a block of the first {BLOCKS}, {rows:.0} million rows: whole process, median of 3 turns"),
    );
    bench.report.add(
        "wide_ratio",
        compared.ratio(),
        "×",
        None,
        format!("the same ÷ guest alone, which takes {alone_ms:.1} ms a block, median of 3 turns"),
    );
    reads(bench);
}

/// Views with many reads, of a process that has just reached the tip. Its chain ends there.
fn reads(bench: &mut Bench) {
    let tip = BLOCKS - 1;
    let chain = Chain::provide(&bench.dir.join("node-wide"), Shape::small(tip));
    let setup = Setup {
        from: BlocksFrom::Node(chain.node.url()),
        ..bench.setup("wide", 0..BLOCKS, "db-wide")
    };
    setup.fresh();
    let running = setup.start(false);
    running.reaches(tip);
    let runtime = Runtime::new().expect("start a runtime");
    for (name, height, bar, how) in [
        ("view_reads_s", None, Some(AtMost(1.0)), "as the sync left it"),
        ("view_old_reads_s", Some(OLD_HEIGHT), None, "as of an old height"),
    ] {
        let took = (0..3_u64).map(|seed| {
            let input = [&VIEW_READS.to_le_bytes()[..], &seed.to_le_bytes()].concat();
            runtime.block_on(load::once(running.port, &Question::new("reads", input, height)))
        });
        let took = median(took.collect());
        let how = format!("one view with {VIEW_READS} reads of old keys of that index, {how}, median of 3");
        bench.report.add(name, took, "s", bar, how);
    }
    drop(running);
    fs::remove_dir_all(&setup.db).expect("remove the index");
}

/// Ratios of a short chain, with bars that only a gross regression misses.
pub(crate) fn quick(bench: &mut Bench) {
    let ratio = bench.compare("wide", 0..QUICK_BLOCKS, 3).ratio();
    bench
        .report
        .add("wide_ratio", ratio, "×", AtMost(25.0), "60 blocks of wide");
    let growths: Vec<_> = (0..3).map(|_| growth(bench)).collect();
    // Whatever else the machine does makes some of these short stretches longer, and none shorter.
    let least = |of: fn(&Growth) -> f64| growths.iter().map(of).fold(f64::INFINITY, f64::min);
    let growth = least(|growth| growth.later_ms) / least(|growth| growth.young_ms);
    let how = "time of wide's blocks 100 to 120 ÷ that of its blocks 20 to 40, the least of 3 each";
    bench.report.add("wide_growth", growth, "×", AtMost(2.5), how);
}

/// Milliseconds a block.
struct Growth {
    young_ms: f64,
    later_ms: f64,
}

/// How long young blocks take, and later ones of the same sync.
fn growth(bench: &Bench) -> Growth {
    let setup = bench.setup("wide", 0..bench.chain.shape.small, "db-wide");
    setup.fresh();
    let mut running = setup.start(false);
    let started = Instant::now();
    let mut progress = Progress::default();
    while progress.blocks() < 120.0 {
        running.must_run();
        assert!(started.elapsed() < PATIENCE, "the sync does not get anywhere");
        if let Some(metrics) = running.ops.metrics() {
            progress.add(started.elapsed().as_secs_f64(), metrics.blocks_run());
        }
        sleep(LOOK_EVERY);
    }
    drop(running);
    fs::remove_dir_all(&setup.db).expect("remove the index");
    Growth {
        young_ms: progress.ms_a_block(20, 40),
        later_ms: progress.ms_a_block(100, 120),
    }
}
