//! A sync in pieces of some blocks each.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;

use super::{size::rows_after, watch::Sample};
use crate::ops::STAGES;

/// What some blocks cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Window {
    /// In the index, at its end.
    pub(super) rows: f64,
    /// Milliseconds a block, by the clock.
    pub(super) ms: f64,
    /// The same by stage; stages overlap, and `fetch` has several blocks at a time.
    pub(super) stage_ms: BTreeMap<&'static str, f64>,
    /// Microseconds a read of a row.
    pub(super) read_us: Option<f64>,
    /// Sorted runs that a read may have to look into.
    pub(super) runs: Option<f64>,
    /// Of the folder, at its end.
    pub(super) disk_bytes: u64,
    /// Of the process, at its end.
    pub(super) resident_bytes: f64,
    /// The longest time that the height did not move.
    pub(super) silent_s: f64,
}

/// All pieces of so many blocks; but not the one in which the process was killed.
pub(super) fn windows(samples: &[Sample], blocks: u32, size: u32) -> Vec<Window> {
    let starts = (0..blocks).step_by(size as usize);
    starts
        .filter_map(|from| window(samples, from..(from + size).min(blocks)))
        .collect()
}

/// From the first sample after the one number of blocks to the first after the other; none if there are not two, or if
/// they are of two processes.
pub(super) fn window(samples: &[Sample], blocks: Range<u32>) -> Option<Window> {
    let after = |blocks: u32| samples.iter().position(|sample| sample.blocks >= f64::from(blocks));
    let seen = &samples[after(blocks.start)?..=after(blocks.end)?];
    let (first, last) = (seen.first()?, seen.last()?);
    let count = last.blocks_here - first.blocks_here;
    if first.process != last.process || count <= 0.0 {
        return None;
    }
    let stage_ms = |stage: usize| (last.stages_s[stage] - first.stages_s[stage]) * 1e3 / count;
    let read_us = first
        .reads
        .zip(last.reads)
        .map(|((before, before_s), (reads, reads_s))| {
            let reads = (reads - before).max(1.0);
            (reads_s - before_s) * 1e6 / reads
        });
    Some(Window {
        rows: rows_after(blocks.end),
        ms: (last.at_s - first.at_s) * 1e3 / count,
        stage_ms: (0..)
            .zip(STAGES)
            .map(|(number, stage)| (stage, stage_ms(number)))
            .collect(),
        read_us,
        runs: last.runs,
        disk_bytes: last.disk_bytes,
        resident_bytes: last.resident_bytes,
        silent_s: seen.iter().map(|sample| sample.silent_s).fold(0.0, f64::max),
    })
}

impl Window {
    /// Milliseconds a block by stage, in words.
    pub(super) fn stages(&self) -> String {
        let stages = STAGES.map(|stage| format!("{stage} {:.1}", self.stage_ms[stage]));
        stages.join(", ")
    }
}
