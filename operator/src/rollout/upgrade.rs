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

/// Gives every record the image that its pods should run: that of this version, or that which they have.
pub(super) fn settle_images(
    valid: &ValidIndexer,
    sets: &mut [(Revision, Record)],
    known: &BTreeMap<Revision, SetState>,
) {
    for (revision, record) in sets {
        let current = valid.declared().made_with;
        let Some(set) = known.get(revision).filter(|set| fit(valid, set) != Fit::Reads) else {
            record.made_with = current;
            continue;
        };
        if record.made_with.is_none() {
            let runs = |image: &String| MadeWith {
                image: image.clone(),
                store_format: UNRECORDED,
            };
            record.made_with = set.image.as_ref().map(runs);
        }
    }
}

/// Where an index is built again whose data is too old.
pub(super) enum Rebuild {
    /// In this revision.
    In(Revision),
    /// It is another Indexer's turn.
    Queued(String),
}

/// How the serving data is replaced if it is too old.
pub(super) fn rebuild(valid: &ValidIndexer, serving: &Revision, world: &World) -> Option<Rebuild> {
    let Fit::TooOld(formats) = fit(valid, world.sets.get(serving)?) else {
        return None;
    };
    let revision = valid.identity.revision_in(formats.writes);
    if world.sets.contains_key(&revision) || world.inquiry.has_turn {
        return Some(Rebuild::In(revision));
    }
    Some(Rebuild::Queued(format!(
        "the data of revision {serving} is in a format that this version does not read, so it is to be built again; other \
         Indexers come first (--max-rollouts), and its pods keep their image until then"
    )))
}

/// What is wrong with serving data that is too new.
pub(super) fn refusal(valid: &ValidIndexer, serving: &Revision, world: &World) -> Option<String> {
    let set = world.sets.get(serving)?;
    let Fit::TooNew(formats) = fit(valid, set) else {
        return None;
    };
    Some(format!(
        "the data of revision {serving} was written by a newer version: this one reads formats {} to {}; its pods keep their \
         image; install that version, or name its image in spec.image",
        formats.reads_from, formats.writes
    ))
}
