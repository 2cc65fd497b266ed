//! Where the index of the declared identity is, or is to be built.

use crds::{Revision, RolloutStrategy, conditions::reasons};

use super::world::World;
use crate::{
    record::{Record, SeedRecord},
    validate::ValidIndexer,
};

/// Where the declared revision's index is, or is to be built.
pub(super) enum Destination {
    /// In the set of this revision.
    Set(Revision, Record),
    /// Not decided yet; with what is waited for.
    Waits(String),
    /// Nowhere; a reason of `crds::conditions`, and what to do.
    Refused(&'static str, String),
}

/// Where the index of the declared identity is: in a set that has it already, whatever strategy made it; in the set that
/// began with it and was continued in place since, which goes back; on the serving data; or in a new set.
pub(super) fn destination(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let declared = valid.declared();
    let others = world.sets.keys().filter(|revision| *revision != serving);
    let found = std::iter::once(serving)
        .chain(others)
        .find(|revision| world.indexed_by(revision).as_ref() == Some(&valid.revision));
    if let Some(found) = found {
        let kept = world.record(found).cloned().unwrap_or_else(|| declared.clone());
        let record = Record {
            module: declared.module,
            ..kept
        };
        return Destination::Set(found.clone(), record);
    }
    if world.sets.contains_key(&valid.revision) {
        return Destination::Set(valid.revision.clone(), back(declared, world));
    }
    if valid.rollout.strategy == RolloutStrategy::InPlace {
        return onward(valid, serving, world);
    }
    match seed(valid, serving, world) {
        Ok(seed) => Destination::Set(valid.revision.clone(), Record { seed, ..declared }),
        Err(why) => Destination::Refused(reasons::SEED_REFUSED, why),
    }
}

/// Whose data a candidate begins with.
fn seed(valid: &ValidIndexer, serving: &Revision, world: &World) -> Result<Option<SeedRecord>, String> {
    let Some(seed) = &valid.rollout.seed else {
        return Ok(None);
    };
    let Some(active) = world.record(serving) else {
        return Err(format!(
            "it is not known what revision {serving} is; remove rollout.seed"
        ));
    };
    if let Some(difference) = active.identity.differs_beyond_module(&valid.identity) {
        return Err(format!(
            "{} differs from that of revision {serving}, whose data was built under another one; \
             remove rollout.seed to build from chain.startHeight",
            difference.field
        ));
    }
    if valid
        .rollout
        .seed
        .as_ref()
        .is_some_and(|s| s.from_active.at_height < valid.identity.start_height)
    {
        return Err("rollout.seed.fromActive.atHeight is below chain.startHeight".into());
    }
    Ok(Some(SeedRecord {
        from: serving.clone(),
        at_height: seed.from_active.at_height,
    }))
}

/// The serving data, continued by the declared module. All pods begin with it at the same height, or their digests would
/// part: the one after the lowest of theirs, to which the others go back.
fn onward(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let refused = |why| Destination::Refused(reasons::IN_PLACE_REFUSED, why);
    let Some(active) = world.record(serving) else {
        return refused(format!(
            "it is not known what revision {serving} is; use rollout.strategy BlueGreen"
        ));
    };
    if let Some(difference) = active.identity.differs_beyond_module(&valid.identity) {
        return refused(format!(
            "{} differs from that of revision {serving}, whose data was built under another one; \
             declare the former value, or use rollout.strategy BlueGreen to build from chain.startHeight",
            difference.field
        ));
    }
    let Some((lowest, highest)) = world.sets.get(serving).and_then(|set| set.heights) else {
        return Destination::Waits(format!(
            "every pod of revision {serving} must run the module before and say at which height it is, \
             before another one can go on there"
        ));
    };
    if highest - lowest > valid.max_reorg_depth {
        return Destination::Waits(format!(
            "the pods of revision {serving} are further apart than chain.maxReorgDepth, so they cannot begin at one height"
        ));
    }
    Destination::Set(
        serving.clone(),
        Record {
            in_place: true,
            in_place_at: Some(lowest.saturating_add(1)),
            seed: active.seed.clone(),
            ..valid.declared()
        },
    )
}

/// The data that the declared identity began and another one continued: unwound to where that happened.
fn back(declared: Record, world: &World) -> Record {
    let revision = declared.identity.revision();
    Record {
        in_place: true,
        seed: world.record(&revision).and_then(|record| record.seed.clone()),
        ..declared
    }
}
