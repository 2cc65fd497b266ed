//! Small views of the guest `outpoints`, while blocks are indexed and at the tip.

use std::{thread::sleep, time::Duration};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::{
    bench::Bench,
    disk,
    load::{self, Question},
    report::{
        Bar::{AtLeast, AtMost},
        median, percentile,
    },
};

/// How long an index is left alone at the tip before it is looked at.
const IDLE: Duration = Duration::from_secs(60);

/// A view with one read, of 36 bytes.
fn question() -> Question {
    Question::new("tip", Vec::new(), None)
}

/// Queries while blocks are indexed.
pub(crate) fn in_sync(bench: &mut Bench) {
    let setup = bench.setup("outpoints", bench.chain.dense(), "db");
    let runtime = Runtime::new().expect("start a runtime");
    let (mut took, mut slower) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let quiet = setup.sync().took.as_secs_f64();
        setup.fresh();
        let running = setup.start(true);
        running.listens();
        let stop = CancellationToken::new();
        let (port, stopped) = (running.port, stop.clone());
        // The first block takes a moment; asked before, it is said that nothing is indexed yet.
        sleep(Duration::from_secs(3));
        let asking = runtime.spawn(load::paced(port, question(), Duration::from_millis(5), stopped));
        sleep(Duration::from_secs_f64((quiet - 5.0).max(1.0)));
        stop.cancel();
        took.extend(runtime.block_on(asking).expect("the client"));
        slower.push((running.end().took.as_secs_f64() / quiet - 1.0) * 100.0);
    }
    let p99 = percentile(&mut took, 99);
    bench.report.add(
        "view_while_sync_p99_ms",
        p99,
        "ms",
        AtMost(20.0),
        format!("{} views at 200 a second during dense syncs", took.len()),
    );
    bench.report.add(
        "view_while_sync_slows",
        median(slower),
        "%",
        AtMost(10.0),
        "such a sync, next to one without views, median of 3 turns",
    );
}

/// Queries at the tip and room on disk, as the product leaves an index there; then restarts.
pub(crate) fn at_tip(bench: &mut Bench) {
    let heights = bench.chain.dense();
    let tip = heights.end - 1;
    let setup = bench.setup("outpoints", heights, "db");
    setup.fresh();
    let running = setup.start(false);
    running.reaches(tip);
    sleep(IDLE);
    let runtime = Runtime::new().expect("start a runtime");
    let time = Duration::from_secs(5);
    let per_s = (0..3).map(|_| runtime.block_on(load::throughput(running.port, &question(), 8, time)));
    bench.report.add(
        "view_per_s",
        median(per_s.collect()),
        "1/s",
        AtLeast(15_000.0),
        "a minute after the tip was reached; 8 connections, clients on the same processors, median of 3",
    );
    let metrics = running.ops.metrics().expect("metrics");
    let raw_bytes = metrics.get("written_bytes_total").expect("bytes written");
    let keys = metrics.get("written_pairs_total").expect("pairs written") / 1e6;
    let ratio = disk::allocated_bytes(&setup.store()) as f64 / raw_bytes;
    bench.report.add(
        "store_ratio",
        ratio,
        "×",
        AtMost(0.6),
        format!(
            "the folder then ÷ {:.0} MB of pairs, all heights readable",
            raw_bytes / 1e6
        ),
    );
    drop(running);
    let restarts = (0..3).map(|_| setup.start(false).ready().as_secs_f64() * 1e3);
    bench.report.add(
        "restart_ms",
        median(restarts.collect()),
        "ms",
        AtMost(1_500.0),
        format!("SIGKILL at the tip to ready, {keys:.1} million keys, median of 3"),
    );
}
