//! Which runs are merged next.
//!
//! Runs of about one size are merged once there are enough of them, so that a row is written once for each time by
//! which the index outgrows that number. *Sizes* are classes: one is some factor above the one below.

use std::ops::Range;

/// What a run is to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes of its files.
    pub bytes: u64,
    /// It is being merged: into another one, or others into it.
    pub is_busy: bool,
}

/// How eagerly runs are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eagerness {
    /// So many runs of one size are merged, and so many times as large is the next size. At least two.
    pub runs: u32,
}

/// Below this all runs are of one size.
const SMALLEST_BYTES: u64 = 256 << 10;

/// The runs to merge next, of runs from the newest on: neighbours, the newest of them of the lowest size that is due.
#[must_use]
pub fn due(runs: &[Size], eagerness: Eagerness) -> Option<Range<usize>> {
    let mut largest = 0;
    let free = runs.iter().take_while(|run| !run.is_busy);
    // A run behind larger ones is merged with those, or else such runs would only become more. So sizes never fall.
    let sizes = free.map(|run| {
        largest = size(run.bytes, eagerness).max(largest);
        largest
    });
    let sizes: Vec<u32> = sizes.collect();
    let mut upto = 0;
    for same in sizes.chunk_by(|a, b| a == b) {
        upto += same.len();
        if same.len() >= eagerness.runs as usize {
            return Some(0..upto);
        }
    }
    None
}

/// The class a run belongs to. Half a class is added, so that runs that grew out of one class do not stay just below the
/// next one.
fn size(bytes: u64, eagerness: Eagerness) -> u32 {
    let times = bytes.max(SMALLEST_BYTES) as f64 / SMALLEST_BYTES as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and 64.
    let size = (times.log2() / f64::from(eagerness.runs.max(2)).log2() + 0.5) as u32;
    size
}
