//! One step of a merge: which runs, from which key on, and what is written of them.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::{error::Error, rocks::Durability, segments, shared::Inner};
use crate::{
    fault::point,
    rows::{
        self, Codec, Merge, Place, Placed, Run, Runs,
        key::behind,
        plan::{Eagerness, Size, due},
    },
};

/// A segment of the new run takes this part of the bytes that are merged: so much more disk a merge needs for a while.
const SEGMENTS_OF_A_RUN: u64 = 8;
/// Bytes of a segment at least and at most. Fewer segments mean fewer open files; smaller ones less disk for a merge, and
/// less time between two steps. In tests, a merge of a few blocks takes several steps.
const SEGMENT_BYTES: (u64, u64) = if cfg!(test) {
    (512, 4 << 10)
} else {
    (64 << 20, 512 << 20)
};
/// Runs from so many bytes on are compressed as densely as it pays: they are merged again seldom.
const DENSE_FROM_BYTES: u64 = 128 << 20;
/// Rows after which it is asked whether to stop.
const ROWS_BETWEEN_ASKING: u64 = 4_096;

/// Bytes of a segment of a run that so many bytes are merged into.
fn segment_bytes_max(merged_bytes: u64) -> u64 {
    (merged_bytes / SEGMENTS_OF_A_RUN).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1)
}

/// Disk that merges may take for a while beyond an index of so many bytes, at most: of each size of runs one merge can
/// be under way, and it has written a segment before it can remove one of each run that it merges.
pub(super) fn spare_bytes_max(rows_bytes: u64, eagerness: Eagerness) -> u64 {
    let runs = u64::from(eagerness.runs);
    let sizes = std::iter::successors(Some(rows_bytes), |bytes| Some(bytes / runs)).take_while(|bytes| *bytes > 0);
    sizes
        .map(|bytes| bytes.min((runs + 1) * segment_bytes_max(bytes)))
        .sum()
}

/// A step to do.
pub(super) struct Step {
    /// The runs that are merged.
    inputs: Vec<Run>,
    /// The new run, if earlier steps began it.
    begun: Option<Run>,
    /// Where rows of the new run belong.
    place: Place,
    /// It has segments already, up to this key.
    from: Vec<u8>,
    /// Merges due or under way, this one included.
    pub(super) pending: u64,
}

impl Step {
    /// The next step for these runs: of the smallest merge that is due, else of the newest that is under way.
    pub(super) fn of(runs: &Runs, eagerness: Eagerness) -> Option<Self> {
        let all = runs.runs();
        let groups = under_way(all);
        let mut sizes: Vec<_> = all
            .iter()
            .map(|run| Size {
                bytes: run.bytes(),
                is_busy: false,
            })
            .collect();
        for at in groups.iter().flat_map(|group| group.clone()) {
            sizes[at].is_busy = true;
        }
        let pending = groups.len() as u64;
        if let Some(due) = due(&sizes, eagerness) {
            let inputs = all[due].to_vec();
            let (lowest, highest) = inputs
                .iter()
                .map(Run::heights)
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
            let place = Place {
                // Chosen when it is written.
                run: 0,
                lowest,
                highest,
                from: Vec::new(),
            };
            return Some(Self {
                inputs,
                begun: None,
                place,
                from: Vec::new(),
                pending: pending + 1,
            });
        }
        let group = groups.into_iter().next()?;
        let (new, inputs) = all[group].split_first()?;
        let last = new.segments().last()?;
        Some(Self {
            inputs: inputs.to_vec(),
            begun: Some(new.clone()),
            place: last.place().clone(),
            from: behind(last.segment().last_key()),
            pending,
        })
    }
}

/// Merges under way: a run, and those that are merged into it, which follow it.
fn under_way(runs: &[Run]) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < runs.len() {
        let lowest = runs[at].heights().0;
        let inputs = runs[at + 1..]
            .iter()
            .take_while(|run| run.heights().0 >= lowest)
            .count();
        if inputs > 0 {
            groups.push(at..at + 1 + inputs);
        }
        at += 1 + inputs;
    }
    groups
}

/// A segment of the new run, and the key from which on there may be more rows.
type Merged = (Option<Arc<Placed>>, Option<Vec<u8>>);

impl Inner {
    /// Does a step. Gives the bytes written; none if the runs changed meanwhile, and the step must be another one.
    pub(super) fn merge(&self, step: &Step, stop: impl Fn() -> bool) -> Result<u64, Error> {
        let (new, next) = self.write_merged(step, stop)?;
        // A batch that could not be written may be in the log all the same: the file it names stays.
        let is_done = self.put_merged(step, new.as_ref(), next.as_deref())?;
        let Some(new) = new else { return Ok(0) };
        if !is_done {
            new.segment().doom();
            return Ok(0);
        }
        Ok(new.segment().bytes())
    }

    /// Writes the next rows. Gives their segment, unless no row is left that counts, and the key from which on there may
    /// be more.
    pub(super) fn write_merged(&self, step: &Step, stop: impl Fn() -> bool) -> Result<Merged, Error> {
        let total: u64 = step.inputs.iter().map(Run::bytes).sum();
        let codec = if total >= DENSE_FROM_BYTES {
            Codec::Zstd
        } else {
            Codec::Lz4
        };
        let bytes_max = segment_bytes_max(total);
        let mut rows = Merge::new(&step.inputs, &step.from)?;
        if !rows.next()? {
            return Ok((None, None));
        }
        let number = self.segments.number();
        let mut writer = self.segments.create(number, codec)?;
        let mut has_more = true;
        while has_more && writer.bytes() < bytes_max && !writer.is_full() {
            writer.push(rows.key(), rows.value())?;
            if writer.rows().is_multiple_of(ROWS_BETWEEN_ASKING) && stop() {
                return Err(rows::Error::Stopped.into());
            }
            has_more = rows.next()?;
        }
        let next = has_more.then(|| behind(writer.last_key()));
        let place = Place {
            run: if step.from.is_empty() { number } else { step.place.run },
            ..step.place.clone()
        };
        let new = self.segments.finish(writer, number, place)?;
        self.segments.sync_names()?;
        Ok((Some(new), next))
    }

    /// Puts what was merged in the place of what it was merged from. False: that changed meanwhile.
    pub(super) fn put_merged(
        &self,
        step: &Step,
        new: Option<&Arc<Placed>>,
        next: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let _writing = self.writing();
        let head = self.head();
        let mut left: Vec<_> = head.runs().segments().cloned().collect();
        // Undoing blocks puts another place in that of a segment, also in the new run: its next one must not reach higher.
        let is_left = |placed: &Arc<Placed>| left.iter().any(|left| Arc::ptr_eq(placed, left));
        let mut runs = step.begun.iter().chain(&step.inputs);
        if !runs.all(|run| run.segments().iter().all(is_left)) {
            return Ok(false);
        }
        let merged: Vec<_> = step.inputs.iter().flat_map(Run::segments).collect();
        left.retain(|placed| !merged.iter().any(|merged| Arc::ptr_eq(placed, merged)));
        let database = &*self.database;
        let mut batch = WriteBatch::default();
        let mut gone = Vec::new();
        for placed in merged {
            match next.filter(|next| placed.segment().last_key() >= *next) {
                None => {
                    segments::remove(database, &mut batch, placed);
                    gone.push(placed);
                }
                Some(next) if placed.segment().first_key() < next && placed.from() < next => {
                    let place = Place {
                        from: next.to_vec(),
                        ..placed.place().clone()
                    };
                    let trimmed = Placed::new(Arc::clone(placed.segment()), place);
                    segments::put(database, &mut batch, &trimmed);
                    left.push(trimmed);
                }
                Some(_) => left.push(Arc::clone(placed)),
            }
        }
        if let Some(new) = new {
            segments::put(database, &mut batch, new);
            left.push(Arc::clone(new));
        }
        point::reach("before a merge");
        // On the disk before the files go that it names no more.
        database.write(batch, Durability::EachBlock, "merged rows")?;
        point::reach("merged");
        gone.iter().for_each(|placed| placed.segment().doom());
        self.publish(
            head.tip.zip(head.row),
            Arc::clone(&head.lineage),
            Arc::new(Runs::new(left)),
        );
        Ok(true)
    }
}
