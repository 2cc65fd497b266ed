//! Where the index of the declared identity is, or is to be built.

use crds::{Revision, RolloutStrategy, conditions::reasons};

use super::{
    upgrade::{Rebuild, rebuild},
    world::World,
};
use crate::{
    record::{Record, SeedRecord},
    validate::ValidIndexer,
};

/// Where the declared revision's index is, or is to be built.
pub(super) enum Destination {
    /// In the set of this revision.
    Set(Revision, Record),
    /// Undecided; with what is being waited for.
    Waits(String),
    /// In a set that is made once other Indexers are done; with why.
    Queued(String),
    /// Nowhere; a reason of `crds::conditions`, and what to do.
    Refused(&'static str, String),
}

/// Where the index of the declared identity is: in a set that has it already, whatever strategy created it; in the set
/// that began with it and was continued in place since, which reverts; on the serving data; or in a new set.
pub(super) fn destination(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let declared = valid.declared();
    let others = world.sets.keys().filter(|revision| *revision != serving);
    let found = std::iter::once(serving)
        .chain(others)
        .find(|revision| world.indexed_by(revision).as_ref() == Some(&valid.revision));
    if found == Some(serving) {
        match rebuild(valid, serving, world) {
            Some(Rebuild::In(revision)) => {
                let known = world
                    .record(&revision)
                    .filter(|known| known.identity == declared.identity);
                let record = known.map_or(declared.clone(), |known| Record {
                    module: declared.module,
                    ..known.clone()
                });
                return Destination::Set(revision, record);
            }
            Some(Rebuild::Queued(why)) => return Destination::Queued(why),
            None => {}
        }
    }
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

/// The revision whose data a candidate begins with.
fn seed(valid: &ValidIndexer, serving: &Revision, world: &World) -> Result<Option<SeedRecord>, String> {
    let Some(seed) = &valid.rollout.seed else {
        return Ok(None);
    };
    let Some(active) = world.record(serving) else {
        return Err(format!(
            "the record of revision {serving} cannot be read; remove rollout.seed"
        ));
    };
    if let Some(difference) = active.identity.differs_beyond_module(&valid.identity) {
        return Err(format!(
            "{} differs from that of revision {serving}, so its data cannot be copied; \
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

/// The serving data, continued by the declared module. All pods must begin with it at the same height, or their digests
/// would diverge: the height after the lowest of theirs, to which the others revert.
fn onward(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let refused = |why| Destination::Refused(reasons::IN_PLACE_REFUSED, why);
    let Some(active) = world.record(serving) else {
        return refused(format!(
            "the record of revision {serving} cannot be read; use rollout.strategy BlueGreen"
        ));
    };
    if let Some(difference) = active.identity.differs_beyond_module(&valid.identity) {
        return refused(format!(
            "{} differs from that of revision {serving}, so its data cannot be continued; \
             declare the former value, or use rollout.strategy BlueGreen to build from chain.startHeight",
            difference.field
        ));
    }
    let Some((lowest, highest)) = world.sets.get(serving).and_then(|set| set.heights) else {
        return Destination::Waits(format!(
            "every pod of revision {serving} must run the current module and report its height, \
             before another module can continue from there"
        ));
    };
    if highest - lowest > valid.max_reorg_depth {
        return Destination::Waits(format!(
            "the pods of revision {serving} are further apart than chain.maxReorgDepth, so they cannot switch modules at one height"
        ));
    }
    Destination::Set(
        serving.clone(),
        Record {
            in_place: true,
            in_place_at: Some(lowest.saturating_add(1)),
            seed: active.seed.clone(),
            served: active.served,
            ..valid.declared()
        },
    )
}

/// The data that the declared identity began and another one continued, reverted to where that happened.
fn back(declared: Record, world: &World) -> Record {
    let revision = declared.identity.revision();
    let known = world.record(&revision);
    Record {
        in_place: true,
        seed: known.and_then(|record| record.seed.clone()),
        served: known.and_then(|record| record.served),
        ..declared
    }
}
