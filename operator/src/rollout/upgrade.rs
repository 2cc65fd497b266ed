//! What an operator does with data that another version wrote: which image a revision's pods run, and whether its index has
//! to be built again beside it.
//!
//! An image reads the formats of its own version. Data in one of them is converted where it is, by the pods, one after the
//! other. Of any other data the pods keep the image that they have; if it is too old, a candidate of the same identity is
//! built, under a name of its own.

use std::collections::BTreeMap;

use crds::Revision;

use super::world::{SetState, World};
use crate::{
    record::{MadeWith, Record},
    validate::{Formats, ValidIndexer},
};

/// The format of stores of version 0.1, whose records do not say it.
const UNRECORDED: u32 = 1;

/// How the data of a revision and the image of this version go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The image reads it, or it is not known which formats the image reads, because the spec names it.
    Reads,
    /// The data is older than what the image reads.
    TooOld(Formats),
    /// The data is newer than what the image reads.
    TooNew(Formats),
}

/// Judges one revision. What pods report counts, else what the record says; there may be no data yet.
pub(super) fn fit(valid: &ValidIndexer, set: &SetState) -> Fit {
    let Some(formats) = valid.formats else {
        return Fit::Reads;
    };
    let recorded = || {
        let made_with = set.record.as_ref().and_then(|record| record.made_with.as_ref());
        let format = made_with.map_or(UNRECORDED, |made_with| made_with.store_format);
        (format, format)
    };
    let (oldest, newest) = set.formats.unwrap_or_else(recorded);
    if newest > formats.writes {
        Fit::TooNew(formats)
    } else if oldest < formats.reads_from {
        Fit::TooOld(formats)
    } else {
        Fit::Reads
    }
}

/// Gives every record the image that its pods should run: that of this version, or that which they have, whatever else
/// changes of them.
pub(super) fn settle_images(
    valid: &ValidIndexer,
    sets: &mut [(Revision, Record)],
    known: &BTreeMap<Revision, SetState>,
) {
    for (revision, record) in sets {
        let unfit = known.get(revision).filter(|set| fit(valid, set) != Fit::Reads);
        record.made_with = match unfit {
            None => valid.declared().made_with,
            Some(set) => made_with(set),
        };
    }
}

/// What the pods of a revision run: what its record says, else, as of version 0.1, the image of its set.
fn made_with(set: &SetState) -> Option<MadeWith> {
    let recorded = set.record.as_ref().and_then(|record| record.made_with.clone());
    let runs = |image: &String| MadeWith {
        image: image.clone(),
        store_format: UNRECORDED,
    };
    recorded.or_else(|| set.image.as_ref().map(runs))
}

/// Where an index is built again whose data is too old.
pub(super) enum Rebuild {
    /// In this revision.
    In(Revision),
    /// It is another Indexer's turn.
    Queued(String),
}

/// How the serving data is replaced if it is too old and one module built all of it.
pub(super) fn rebuild(valid: &ValidIndexer, serving: &Revision, world: &World) -> Option<Rebuild> {
    let set = world.sets.get(serving)?;
    let Fit::TooOld(formats) = fit(valid, set) else {
        return None;
    };
    if is_continued(set) {
        return None;
    }
    let revision = valid.identity.revision_in(formats.writes);
    if world.sets.contains_key(&revision) || world.inquiry.has_turn {
        return Some(Rebuild::In(revision));
    }
    Some(Rebuild::Queued(format!(
        "the data of revision {serving} is in a format that this version does not read, so it is to be built again; other \
         Indexers come first (--max-rollouts), and its pods keep their image until then"
    )))
}

/// What is wrong with serving data that this version can neither read nor build again.
pub(super) fn refusal(valid: &ValidIndexer, serving: &Revision, world: &World) -> Option<String> {
    let set = world.sets.get(serving)?;
    let (found, formats, cure) = match fit(valid, set) {
        Fit::TooNew(formats) => ("by a newer version", formats, "install that version"),
        Fit::TooOld(formats) if is_continued(set) => (
            "by an older version and by several modules, so that it cannot be built again",
            formats,
            "install a version in between, which converts it",
        ),
        Fit::TooOld(_) | Fit::Reads => return None,
    };
    Some(format!(
        "the data of revision {serving} was written {found}; this version reads formats {} to {}. Its pods keep their image. \
         {cure}, or name an image in spec.image",
        formats.reads_from, formats.writes
    ))
}

/// Whether another module took part in the data, so that the declared one alone would build another index.
fn is_continued(set: &SetState) -> bool {
    let record = set.record.as_ref();
    record.is_some_and(|record| record.in_place || record.seed.is_some())
}
