//! All rows of a store: sorted runs by age, each of segments by key.
//!
//! A *run* covers the heights from `lowest` to `highest`, which no other run covers, but for one that it is merged
//! into at the moment. Meanwhile rows behind the last key of the new run are still those of the old ones, whose
//! rows before it no longer count.

use std::{cmp::Reverse, sync::Arc};

use bytes::Bytes;

use super::{
    error::Error,
    key::{height_of, row_prefix, write_row_key},
    segment::{Scratch, Segment},
    writer::hash,
};
use crate::chain::Height;

/// Which run a segment belongs to, and which of its rows count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The run's number; later ones are higher.
    pub run: u64,
    /// The first height the run covers.
    pub lowest: Height,
    /// The last one. Rows of higher ones are of blocks that were undone, and do not count.
    pub highest: Height,
    /// Rows before this key, see [`super::key::behind`], were merged into another run and no longer count here; empty: none
    /// were.
    pub from: Vec<u8>,
}

/// A segment in its place.
#[derive(Debug)]
pub struct Placed {
    segment: Arc<Segment>,
    place: Place,
    /// Some of its rows are above the highest height.
    is_capped: bool,
}

/// Segments of one run, by key.
#[derive(Clone, Debug)]
pub struct Run {
    number: u64,
    lowest: Height,
    highest: Height,
    segments: Vec<Arc<Placed>>,
}

/// All runs, newest first. It never changes; readers keep the one they began with.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: Vec<Run>,
}

impl Placed {
    /// A segment in its place.
    #[must_use]
    pub fn new(segment: Arc<Segment>, place: Place) -> Arc<Self> {
        let is_capped = segment.heights().1 > place.highest;
        Arc::new(Self {
            segment,
            place,
            is_capped,
        })
    }

    /// The segment.
    #[must_use]
    pub fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Its place.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Rows before this key do not count.
    #[must_use]
    pub fn from(&self) -> &[u8] {
        &self.place.from
    }

    /// Whether a row counts that is not before [`Self::from`].
    #[must_use]
    pub fn counts(&self, row_key: &[u8]) -> bool {
        !self.is_capped || height_of(row_key) <= self.place.highest
    }
}

impl Run {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The heights it covers.
    #[must_use]
    pub fn heights(&self) -> (Height, Height) {
        (self.lowest, self.highest)
    }

    /// Its segments, by key.
    #[must_use]
    pub fn segments(&self) -> &[Arc<Placed>] {
        &self.segments
    }

    /// Bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|placed| placed.segment.bytes()).sum()
    }

    /// The segment whose rows the first row at or behind a key is among, if there is one.
    fn segment_of(&self, row_key: &[u8]) -> Option<&Placed> {
        let at = self
            .segments
            .partition_point(|placed| placed.segment.last_key() < row_key);
        self.segments.get(at).map(|placed| &**placed)
    }
}

impl Runs {
    /// Puts segments in order.
    #[must_use]
    pub fn new(segments: impl IntoIterator<Item = Arc<Placed>>) -> Self {
        let mut segments: Vec<_> = segments.into_iter().collect();
        // A run that others are merged into comes before them, since its rows are the newer ones of a key they share.
        segments.sort_by(|a, b| {
            let age = |placed: &Placed| {
                let place = &placed.place;
                (Reverse(place.highest), place.lowest, Reverse(place.run))
            };
            age(a)
                .cmp(&age(b))
                .then_with(|| a.segment.first_key().cmp(b.segment.first_key()))
        });
        let runs = segments
            .chunk_by(|a, b| a.place.run == b.place.run)
            .map(|segments| Run {
                number: segments[0].place.run,
                lowest: segments[0].place.lowest,
                highest: segments[0].place.highest,
                segments: segments.to_vec(),
            });
        Self { runs: runs.collect() }
    }

    /// These and more segments.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Arc<Placed>>) -> Arc<Self> {
        Arc::new(Self::new(self.segments().cloned().chain(more)))
    }

    /// The runs, newest first.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// All segments.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<Placed>> {
        self.runs.iter().flat_map(|run| &run.segments)
    }

    /// The newest value of a guest key as of a height, and the height at which it was written.
    ///
    /// Runs are asked from the newest on, and the first that has a row ends the search: those of older ones are older.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn get(&self, key: &[u8], at: Height, space: &mut Space) -> Result<Option<(Height, Bytes)>, Error> {
        let Space {
            wanted,
            capped,
            scratch,
        } = space;
        scratch.waited = false;
        write_row_key(wanted, key, at);
        let hash = hash(row_prefix(wanted));
        for run in self.runs.iter().filter(|run| run.lowest <= at) {
            let Some(placed) = run.segment_of(wanted) else { continue };
            if !placed.may_begin_with(row_prefix(wanted)) || !placed.segment.may_hold(hash, scratch)? {
                continue;
            }
            // Rows above the run's highest height do not count, nor do those before `from`, which may be newer ones of the
            // same guest key: then it is a row's key as well.
            let mut first = &wanted[..];
            let placed = if placed.is_capped && run.highest < at {
                write_row_key(capped, key, run.highest);
                first = capped;
                match run.segment_of(first) {
                    Some(placed) => placed,
                    None => continue,
                }
            } else {
                placed
            };
            let first = first.max(placed.from());
            if row_prefix(first) != row_prefix(wanted) {
                continue;
            }
            let found = placed
                .segment
                .get(first, scratch, |height, value| (height, Bytes::copy_from_slice(value)))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Placed {
    /// Whether its first key is not behind all rows of a guest key.
    fn may_begin_with(&self, prefix: &[u8]) -> bool {
        let first = self.segment.first_key();
        row_prefix(first) <= prefix
    }
}

/// What one thread needs for look-ups, kept from one to the next.
#[derive(Default)]
pub struct Space {
    wanted: Vec<u8>,
    capped: Vec<u8>,
    scratch: Scratch,
}

impl Space {
    /// Whether the last look-up waited for the disk.
    #[must_use]
    pub fn waited(&self) -> bool {
        self.scratch.waited
    }
}
