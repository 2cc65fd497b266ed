//! How much slower blocks are indexed while a snapshot is published: the same process in turns with and without it.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{pod::Pod, storage::Storage};
use crate::{progress::Progress, report::median};

/// Measured in turns: without, with, without, with, …, without.
const PAIRS: u32 = 3;
/// Blocks of a process before it is measured.
const BEFORE: u32 = 30;
/// Blocks that are measured of each.
const MEASURED: u32 = 220;
/// All blocks that this takes, and some that keep the tip far.
pub(super) const BLOCKS: u32 = (2 * PAIRS + 1) * (BEFORE + MEASURED + 60) + 300;
/// The bound on what is uploaded.
const BYTES_PER_SECOND: u64 = 20_000_000;
/// Less than this share of it and nothing is shown by the figure.
const RATE_LEAST: f64 = 0.7;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(300);

/// The figure and what it is of.
pub(super) struct Slowdown {
    pub(super) percent: f64,
    pub(super) how: String,
}

/// What a block took, and what was uploaded meanwhile.
#[derive(Clone, Copy)]
struct Turn {
    block_ms: f64,
    bytes_per_second: f64,
}

/// Each turn with a snapshot is compared with the middle of its neighbours without, since blocks take longer as the
/// index grows.
pub(super) fn measure(pod: &Pod, storage: &Storage) -> Slowdown {
    let mut turns = vec![turn(pod)];
    for pair in 0..PAIRS {
        // A prefix of its own, or what a turn before uploaded would not be uploaded again.
        let publishing = storage.publishing(&format!("turn-{pair}"), BYTES_PER_SECOND);
        turns.push(turn(&pod.publishing(publishing)));
        turns.push(turn(pod));
    }
    let with: Vec<_> = turns.iter().skip(1).step_by(2).collect();
    let rate = median(with.iter().map(|turn| turn.bytes_per_second).collect());
    assert!(
        rate >= RATE_LEAST * BYTES_PER_SECOND as f64,
        "only {rate:.0} bytes a second were uploaded"
    );
    let slower = turns.windows(3).step_by(2).map(|turns| {
        let without = f64::midpoint(turns[0].block_ms, turns[2].block_ms);
        (turns[1].block_ms / without - 1.0) * 100.0
    });
    let shown: Vec<_> = turns.iter().map(|turn| format!("{:.1}", turn.block_ms)).collect();
    Slowdown {
        percent: median(slower.collect()),
        how: format!(
            "blocks of wide while a snapshot is uploaded at {:.1} MB/s to a server on the same cores, median of {PAIRS}; \
             ms a block in turns without and with: {}",
            rate / 1e6,
            shown.join(", ")
        ),
    }
}

/// Starts a process, and kills it behind the blocks that are measured.
fn turn(pod: &Pod) -> Turn {
    let mut process = pod.start();
    let mut progress = Progress::default();
    let mut uploads: Vec<(f64, f64)> = Vec::new();
    let started = Instant::now();
    while progress.blocks() < f64::from(BEFORE + MEASURED) {
        process.running.must_run();
        assert!(started.elapsed() < PATIENCE, "the sync does not get anywhere");
        if let Some(metrics) = process.running.ops.metrics() {
            let at = started.elapsed().as_secs_f64();
            progress.add(at, metrics.blocks_run());
            if progress.blocks() >= f64::from(BEFORE) {
                uploads.push((at, metrics.get("snapshot_bytes_uploaded_total").unwrap_or(0.0)));
            }
        }
        sleep(LOOK_EVERY);
    }
    let (first, last) = (uploads[0], uploads[uploads.len() - 1]);
    Turn {
        block_ms: progress.ms_a_block(BEFORE, BEFORE + MEASURED),
        bytes_per_second: (last.1 - first.1) / (last.0 - first.0),
    }
}
