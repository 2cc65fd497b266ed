//! Syncs of dense, light and empty blocks: how much longer than the guest alone they take, or how fast they are.

use crate::{
    alone::Alone,
    bench::Bench,
    report::{
        Bar::{self, AtLeast, AtMost},
        median, percentile,
    },
    sync::{BlocksFrom, Setup},
};

const MIB: f64 = (1 << 20) as f64;

/// Ratios of a short chain, with bars that are far from what is normal.
pub(crate) fn quick(bench: &mut Bench) {
    let dense = bench.compare("outpoints", bench.chain.dense(), 3).ratio();
    bench
        .report
        .add("dense_ratio", dense, "×", AtMost(2.5), "40 dense blocks");
    let light = bench.compare("outpoints", bench.chain.light(), 3).ratio();
    bench
        .report
        .add("light_ratio", light, "×", AtMost(6.0), "600 light blocks");
}

/// Blocks as full as mainnet's, which are mostly work of the guest.
pub(crate) fn dense(bench: &mut Bench) {
    let heights = bench.chain.dense();
    let count = heights.len() as f64;
    let mut compared = bench.compare("outpoints", heights, 3);
    let pairs = compared.alone.pairs as f64 / count;
    let (sync_ms, alone_ms) = (compared.sync_ms(), compared.alone_ms());
    bench.report.add("dense_ratio", compared.ratio(), "×", AtMost(1.3), format!(
        "{count} dense blocks of {pairs:.0} pairs: whole process ÷ guest alone, median of 3 turns; {sync_ms:.1} and {alone_ms:.1} ms a block"
    ));
    let beyond = (compared.peak_bytes.saturating_sub(compared.alone.guest_bytes)) as f64 / MIB;
    bench.report.add(
        "rss_peak_mb",
        beyond,
        "MiB",
        AtMost(400.0),
        format!(
            "peak of that process less the guest's {:.0} MiB",
            compared.alone.guest_bytes as f64 / MIB
        ),
    );
    refresh(bench, "refresh_dense_us_p50", "a dense", None, &mut compared.alone);
}

/// Small blocks, of which every part counts.
pub(crate) fn light(bench: &mut Bench) {
    let heights = bench.chain.light();
    let count = heights.len();
    let mut compared = bench.compare("outpoints", heights, 3);
    let (sync_ms, alone_ms) = (compared.sync_ms(), compared.alone_ms());
    bench.report.add(
        "light_blocks_per_s",
        1e3 / sync_ms,
        "1/s",
        AtLeast(600.0),
        format!(
            "{count} blocks of some 20 transactions, REST; the guest alone {:.0}",
            1e3 / alone_ms
        ),
    );
    bench.report.add(
        "light_ratio",
        compared.ratio(),
        "×",
        AtMost(1.5),
        format!("the same ÷ guest alone, median of 3 turns; {sync_ms:.2} and {alone_ms:.2} ms a block"),
    );
    let alone = &mut compared.alone;
    refresh(bench, "refresh_us_p50", "a light", Some(AtMost(50.0)), alone);
    let p99 = percentile(&mut alone.build_us, 99);
    bench.report.add("refresh_us_p99", p99, "µs", None, "the same");
}

/// Blocks without transactions: how fast anything is at all.
pub(crate) fn empty(bench: &mut Bench) {
    let heights = 0..bench.chain.shape.small + 1;
    let files = BlocksFrom::Files(bench.dir.join("node/regtest/blocks"));
    let rest = BlocksFrom::Node(bench.chain.node.url());
    for (name, from, bar) in [
        ("empty_blocks_per_s_rest", rest, 2_000.0),
        ("empty_blocks_per_s_files", files, 8_000.0),
    ] {
        let setup = Setup {
            from,
            ..bench.setup("plain", heights.clone(), "db-empty")
        };
        let runs = (0..3).map(|_| heights.len() as f64 / setup.sync().took.as_secs_f64());
        let value = median(runs.collect());
        bench.report.add(
            name,
            value,
            "1/s",
            AtLeast(bar),
            format!("{} blocks, a guest that writes one pair, median of 3", heights.len()),
        );
    }
}

/// Fresh instances, made after the one that ran a block was dropped.
fn refresh(bench: &mut Bench, name: &str, kind: &str, bar: Option<Bar>, alone: &mut Alone) {
    let drop_us = percentile(&mut alone.drop_us, 50);
    let p50 = percentile(&mut alone.build_us, 50);
    bench.report.add(
        name,
        p50,
        "µs",
        bar,
        format!(
            "build a fresh instance, once for each of {} blocks; dropping one that ran {kind} block: {drop_us:.0} µs",
            alone.build_us.len()
        ),
    );
}
