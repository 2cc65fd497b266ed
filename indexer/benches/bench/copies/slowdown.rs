//! How much slower blocks are indexed while a snapshot is published: processes in turns with and without it, each of
//! which begins with the same index, so that each merges the same rows at the same blocks.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    pod::{Pod, wait},
    storage::Storage,
};
use crate::{
    progress::Progress,
    report::{Bar, Report, median},
};

/// Between turns without a snapshot: what is done of one.
const WITH: [Part; 5] = [Part::Upload, Part::Hash, Part::Upload, Part::Hash, Part::Upload];
/// Blocks of a process before it is measured.
const BEFORE: u32 = 20;
/// Blocks that are measured of each.
const MEASURED: u32 = 150;
/// All blocks that a turn takes, and some that keep the tip far.
pub(super) const BLOCKS: u32 = BEFORE + MEASURED + 360;
/// The bound on what is uploaded.
const BYTES_PER_SECOND: u64 = 20_000_000;
/// Less than this share of it and nothing is shown by the figure.
const RATE_LEAST: f64 = 0.7;
const UPLOADED: &str = "snapshot_bytes_uploaded_total";
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(300);

/// The parts of publishing: first new files are hashed, then they are uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Hash,
    Upload,
}

/// What a block took, and what was uploaded meanwhile.
#[derive(Clone, Copy)]
struct Turn {
    block_ms: f64,
    bytes_per_second: f64,
}

/// Each turn with a snapshot is compared with the middle of its neighbours without.
pub(super) fn measure(pod: &Pod, storage: &Storage, folder: &Path, report: &mut Report) {
    hash(&pod.publishing(storage.publishing("hashed", BYTES_PER_SECOND)));
    let forked = || pod.forked(folder);
    let mut turns = vec![turn(&forked())];
    for (number, part) in WITH.into_iter().enumerate() {
        // A prefix of its own, or what a turn before uploaded would not be uploaded again.
        let publishing = forked().publishing(storage.publishing(&format!("turn-{number}"), BYTES_PER_SECOND));
        if part == Part::Hash {
            publishing.forget_hashes();
        }
        turns.push(turn(&publishing));
        turns.push(turn(&forked()));
    }
    let _ = fs::remove_dir_all(folder);
    let shown: Vec<_> = turns.iter().map(|turn| format!("{:.1}", turn.block_ms)).collect();
    let shown = format!("ms a block in turns without and with: {}", shown.join(", "));
    for (part, name, what) in [
        (
            Part::Upload,
            "uploading_slowdown",
            "a snapshot is uploaded to a server on the same cores",
        ),
        (Part::Hash, "hashing_slowdown", "its files are hashed before"),
    ] {
        let of_part = turns.windows(3).step_by(2).zip(WITH).filter(|(_, of)| *of == part);
        let (slower, rates): (Vec<_>, Vec<_>) = of_part
            .map(|(turns, _)| (slower(turns), turns[1].bytes_per_second))
            .unzip();
        let rate = median(rates);
        let is_uploading = rate >= RATE_LEAST * BYTES_PER_SECOND as f64;
        assert!(
            is_uploading == (part == Part::Upload),
            "{part:?}: {rate:.0} bytes a second were uploaded"
        );
        let how = format!(
            "blocks of wide while {what}, {:.1} MB/s uploaded, median; {shown}",
            rate / 1e6
        );
        report.add(name, median(slower), "%", Bar::AtMost(10.0), how);
    }
}

/// How many percent longer the turn between two others took.
fn slower(turns: &[Turn]) -> f64 {
    let without = f64::midpoint(turns[0].block_ms, turns[2].block_ms);
    (turns[1].block_ms / without - 1.0) * 100.0
}

/// Publishes without indexing until the first bytes are uploaded: then all is hashed.
fn hash(publishing: &Pod) {
    let process = publishing.start_where_it_is();
    wait("the first bytes of a snapshot", || {
        let metrics = process.running.ops.metrics()?;
        metrics.get(UPLOADED).filter(|bytes| *bytes > 0.0)
    });
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
                uploads.push((at, metrics.get(UPLOADED).unwrap_or(0.0)));
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
