//! The status of a process as text.

use std::fmt::Write as _;

use crds::pod::{BlockUnderWay, Check, Snapshots, Status, Store, Volume};

use crate::telemetry::units::{mebibytes, pace, size};

/// A status as text: one fact per line, without those that are unknown.
pub(super) fn shown(status: &Status) -> String {
    let mut lines = vec![
        ("indexer", format!("{}, revision {}", status.indexer, status.revision)),
        (
            "phase",
            format!("{}{}", status.phase, if status.ready { ", ready" } else { "" }),
        ),
        ("height", height(status)),
    ];
    let mut known = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    known("block", status.block_hash.clone());
    known("digest", status.digest.clone());
    known(
        "halted",
        status.halt.as_ref().map(|halt| {
            format!(
                "{:?} failure at height {} after {} runs: {}",
                halt.class, halt.height, halt.runs, halt.message
            )
        }),
    );
    known(
        "trouble",
        status.trouble.as_ref().map(|trouble| {
            format!(
                "{:?} failure since {}: {}",
                trouble.class, trouble.since.0, trouble.message
            )
        }),
    );
    known(
        "running",
        status.block_under_way.as_ref().map(|block| {
            let BlockUnderWay { height, seconds, .. } = block;
            format!(
                "block {height}, {} for {seconds} s, since {}",
                block.run_in_words(),
                block.since.0
            )
        }),
    );
    let memory = &status.memory;
    let peak_at = memory
        .guest_peak_height
        .map_or(String::new(), |height| format!(" at height {height}"));
    lines.extend([
        ("module", format!("{}, {}", check(&status.module), status.module_sha256)),
        ("source", check(&status.source)),
        (
            "guest",
            format!(
                "{}, peak {}{peak_at}, threshold {}, limit {}",
                mebibytes(memory.guest_bytes),
                mebibytes(memory.guest_peak_bytes),
                mebibytes(memory.threshold_bytes),
                mebibytes(memory.limit_bytes)
            ),
        ),
        ("resident", mebibytes(memory.resident_bytes)),
    ]);
    lines.extend(status.store.as_ref().map(|store| ("store", on_disk(store))));
    lines.extend(status.volume.as_ref().map(|volume| ("volume", on_volume(volume))));
    lines.extend(
        status
            .snapshots
            .as_ref()
            .map(|snapshots| ("snapshots", published(snapshots))),
    );
    lines.extend([("refreshes", refreshes(status)), ("version", status.version.clone())]);
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // Into a string: cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
        text
    })
}

fn height(status: &Status) -> String {
    let indexed = status
        .height
        .map_or("nothing indexed yet".into(), |height| height.to_string());
    let pace = pace(status).map_or(String::new(), |pace| format!(", {pace}"));
    match (status.tip, status.behind) {
        (Some(tip), Some(behind)) => format!("{indexed} of {tip}, {behind} behind{pace}"),
        (Some(tip), None) => format!("{indexed}, the tip is {tip}"),
        (None, _) => indexed,
    }
}

fn on_disk(store: &Store) -> String {
    format!(
        "{} on disk, merges take up to {} more for a while",
        size(store.disk_bytes),
        size(store.merge_bytes_max)
    )
}

fn on_volume(volume: &Volume) -> String {
    let room = format!("{} of {} free", size(volume.free_bytes), size(volume.capacity_bytes));
    let growth = volume.growth_per_day_bytes.map(|growth| {
        let left = volume
            .days_left
            .map_or(String::new(), |days| format!(", {days:.1} days left"));
        format!(", {} more a day{left}", size(growth))
    });
    room + &growth.unwrap_or_default()
}

/// The last one, the one under way, and what keeps the next one away.
fn published(snapshots: &Snapshots) -> String {
    let latest = snapshots.latest.as_ref().map(|latest| {
        let bytes = size(latest.bytes);
        format!("block {} at {}, {bytes}, {}", latest.height, latest.url, latest.time.0)
    });
    let underway = snapshots.underway.as_ref().map(|underway| {
        let (done, total) = (mebibytes(underway.done_bytes), mebibytes(underway.total_bytes));
        format!("block {}: {done} of {total} uploaded", underway.height)
    });
    let standing = (snapshots.check.ok != Some(true)).then(|| check(&snapshots.check));
    let facts: Vec<_> = [latest, underway, standing].into_iter().flatten().collect();
    facts.join("; ")
}

fn check(check: &Check) -> String {
    if check.message.is_empty() {
        check.reason.clone()
    } else {
        format!("{}: {}", check.reason, check.message)
    }
}

fn refreshes(status: &Status) -> String {
    let crds::Refreshes {
        block,
        threshold,
        failure,
        manual,
        unwind,
    } = status.memory.refreshes;
    let last = status.memory.last_refresh.as_ref();
    let last = last.map_or(String::new(), |last| {
        format!("; last: {} before height {}", last.reason.label(), last.height)
    });
    format!("block {block}, threshold {threshold}, failure {failure}, manual {manual}, unwind {unwind}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_shown_one_fact_a_line() {
        let status = serde_json::from_str(include_str!("../../tests/data/status.json")).unwrap();
        expectorate::assert_contents("tests/data/status.txt", &shown(&status));
    }
}
