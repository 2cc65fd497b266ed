//! Going on with the same data under another module, and back.

use crds::{Identity, Revision, conditions::reasons};

use super::{Destination, World};
use crate::{record::Record, validate::ValidIndexer};

/// The field in which two identities differ although one's data shall be continued by the other; none if only the module
/// differs.
pub(super) fn differs_beyond_module(before: &Identity, after: &Identity) -> Option<&'static str> {
    [
        ("chain.network", before.network != after.network),
        ("chain.startHeight", before.start_height != after.start_height),
        ("memory.limit", before.memory_limit_bytes != after.memory_limit_bytes),
        ("the format of the store", before.store_format != after.store_format),
    ]
    .into_iter()
    .find_map(|(field, differs)| differs.then_some(field))
}

/// The serving data, continued by the declared module. All pods begin with it at the same height, or their digests would
/// part: the one after the lowest of theirs, to which the others go back.
pub(super) fn onward(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let refused = |why| Destination::Refused(reasons::IN_PLACE_REFUSED, why);
    let Some(active) = world.record(serving) else {
        return refused(format!(
            "it is not known what revision {serving} is; use rollout.strategy BlueGreen"
        ));
    };
    if let Some(field) = differs_beyond_module(&active.identity, &valid.identity) {
        return refused(format!(
            "{field} differs from that of revision {serving}, whose data was built under another one; \
             declare the former value, or use rollout.strategy BlueGreen to build from chain.startHeight"
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
            in_place_at: Some(lowest + 1),
            seed: active.seed.clone(),
            ..Record::declared(valid)
        },
    )
}

/// The data that the declared identity began and another one continued: unwound to where that happened.
pub(super) fn back(declared: Record, world: &World) -> Record {
    let revision = declared.identity.revision();
    Record {
        in_place: true,
        seed: world.record(&revision).and_then(|record| record.seed.clone()),
        ..declared
    }
}
