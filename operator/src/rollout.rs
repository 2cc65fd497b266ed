//! (pure) Which revisions have pods, which one serves, and what keeps clients from being moved to the declared one.
//!
//! The Service names the serving revision, and its annotations the previous one: both change in one write, so an
//! operator that is killed at any point leaves no half-finished switch. Everything else is derived from the existing
//! objects, see [`World`], and [`decide`] decides from scratch in each pass. A candidate never affects the serving
//! revision; a revision that serves, is declared, or is kept for a rollback is never removed.

use crds::Revision;
use k8s_openapi::jiff::Timestamp;

mod candidate;
mod decision;
mod destination;
mod health;
mod replacement;
mod world;

pub use decision::{Decision, Step};
pub use health::Health;
pub use replacement::next_replacement;
pub use world::{Compared, Inquiry, SetState, World};

use crate::{record::Record, validate::ValidIndexer};
use candidate::assess;
use destination::{Destination, destination};
use world::since;

/// The revision that serves and the one that is to replace it; none if no other one is to.
#[must_use]
pub fn transition(valid: &ValidIndexer, world: &World) -> Option<(Revision, Revision)> {
    let serving = world.assumed_serving()?;
    match destination(valid, &serving, world) {
        Destination::Set(candidate, _) if candidate != serving => Some((serving, candidate)),
        Destination::Set(..) | Destination::Waits(_) | Destination::Refused(..) => None,
    }
}

/// Whether only the comparison of views is missing before clients can be moved to a candidate.
#[must_use]
pub fn is_comparison_due(valid: &ValidIndexer, candidate: &Revision, world: &World) -> bool {
    assess(valid, candidate, is_way_back(valid, candidate, world), world).wants_comparison
}

/// Decides on revisions.
#[must_use]
pub fn decide(valid: &ValidIndexer, world: &World) -> Decision {
    let Some(serving) = world.assumed_serving() else {
        let first = (valid.revision.clone(), valid.declared());
        return assemble(valid, valid.revision.clone(), None, vec![first], Step::Settled, world);
    };
    let previous = world.previous(valid.timing.keep_previous);
    match destination(valid, &serving, world) {
        Destination::Set(revision, record) if revision == serving => {
            let sets = vec![(serving.clone(), record)];
            assemble(valid, serving, previous, sets, Step::Settled, world)
        }
        Destination::Set(revision, record) => beside(valid, serving, (revision, record), previous, world),
        Destination::Waits(why) => stay(valid, serving, previous, Step::Blocked(why), world),
        Destination::Refused(reason, why) => stay(valid, serving, previous, Step::Refused(reason, why), world),
    }
}

/// Whether a revision is the one that served before and is kept: it has passed every gate already.
fn is_way_back(valid: &ValidIndexer, candidate: &Revision, world: &World) -> bool {
    world
        .previous(valid.timing.keep_previous)
        .is_some_and(|(kept, _)| kept == *candidate)
}

/// A candidate next to the serving revision: monitored, and made the serving one when it is ready.
fn beside(
    valid: &ValidIndexer,
    serving: Revision,
    candidate: (Revision, Record),
    previous: Option<(Revision, Timestamp)>,
    world: &World,
) -> Decision {
    let revision = candidate.0.clone();
    let assessment = assess(valid, &revision, is_way_back(valid, &revision, world), world);
    let active = world.record(&serving).cloned().map(|record| (serving.clone(), record));
    let (serving, previous, sets) = if assessment.step == Step::Switching {
        let sets = std::iter::once(candidate).chain(active).collect();
        (revision.clone(), Some((serving, world.now)), sets)
    } else {
        (serving, previous, active.into_iter().chain([candidate]).collect())
    };
    let assembled = assemble(valid, serving, previous, sets, assessment.step, world);
    Decision {
        candidate: Some(revision),
        healthy_since: assessment.healthy_since,
        again_after: assessment.again_after.into_iter().chain(assembled.again_after).min(),
        ..assembled
    }
}

/// Nothing changes; every revision that serves or is kept keeps its objects.
fn stay(
    valid: &ValidIndexer,
    serving: Revision,
    previous: Option<(Revision, Timestamp)>,
    step: Step,
    world: &World,
) -> Decision {
    let sets = world.record(&serving).cloned().map(|record| (serving.clone(), record));
    assemble(valid, serving, previous, sets.into_iter().collect(), step, world)
}

/// Adds what is kept for a rollback, and determines what is removed.
fn assemble(
    valid: &ValidIndexer,
    serving: Revision,
    previous: Option<(Revision, Timestamp)>,
    mut sets: Vec<(Revision, Record)>,
    step: Step,
    world: &World,
) -> Decision {
    if let Some((kept, _)) = &previous
        && !sets.iter().any(|(revision, _)| revision == kept)
    {
        sets.extend(world.record(kept).cloned().map(|record| (kept.clone(), record)));
    }
    // A set that goes takes along only the pods it controls, so it stays, or comes back, until it controls them.
    let is_planned = |revision: &Revision| sets.iter().any(|(planned, _)| planned == revision);
    let orphaned = world.sets.iter().filter(|(of, set)| set.orphaned && !is_planned(of));
    let orphaned: Vec<_> = orphaned
        .filter_map(|(of, set)| Some((of.clone(), set.record.clone()?)))
        .collect();
    sets.extend(orphaned);
    let is_planned = |revision: &Revision| sets.iter().any(|(planned, _)| planned == revision);
    let stays =
        |revision: &Revision| *revision == serving || previous.as_ref().is_some_and(|(kept, _)| kept == revision);
    let unplanned = || world.sets.keys().filter(|revision| !is_planned(revision));
    let untouched = unplanned().filter(|revision| stays(revision)).cloned().collect();
    let retired = unplanned().filter(|revision| !stays(revision)).cloned().collect();
    let kept_for = |at: Timestamp| valid.timing.keep_previous.saturating_sub(since(at, world.now));
    let again_after = previous.as_ref().map(|(_, at)| kept_for(*at));
    Decision {
        serving,
        candidate: None,
        previous,
        sets,
        untouched,
        retired,
        step,
        healthy_since: None,
        again_after,
    }
}

#[cfg(test)]
mod tests;
