//! (pure) Which revisions have pods, which one serves, and what keeps clients from being moved to the declared one.
//!
//! The Service names the serving revision, and its annotations the previous one: both change in one write, so an
//! operator that is killed at any point leaves no half-finished switch. Where that is lost, records say the same. Everything
//! else is derived from the existing objects, see [`World`], and [`decide`] decides from scratch in each pass. A candidate never affects the serving
//! revision; a revision that serves, is declared, or is kept for a rollback is never removed.

use crds::{Revision, conditions::reasons};
use k8s_openapi::jiff::Timestamp;

mod candidate;
mod decision;
mod destination;
mod health;
mod kept;
mod replacement;
mod stamps;
mod upgrade;
mod world;

pub use decision::{Decision, Step};
pub use health::Health;
pub use replacement::next_replacement;
pub use stamps::{Stamp, stamps};
pub use world::{Compared, Inquiry, SetState, World};

use crate::{names, record::Record, validate::ValidIndexer};
use candidate::assess;
use destination::{Destination, destination};
use world::{Assumed, since};

/// The revision that serves and the one that is to replace it; none if no other one is to.
#[must_use]
pub fn transition(valid: &ValidIndexer, world: &World) -> Option<(Revision, Revision)> {
    let Assumed::One(serving) = world.assumed_serving(valid) else {
        return None;
    };
    match destination(valid, &serving, world) {
        Destination::Set(candidate, _) if candidate != serving => Some((serving, candidate)),
        Destination::Set(..) | Destination::Waits(_) | Destination::Queued(_) | Destination::Refused(..) => None,
    }
}

/// Whether an index waits for its turn to be built again.
#[must_use]
pub fn is_queued(valid: &ValidIndexer, world: &World) -> bool {
    let Assumed::One(serving) = world.assumed_serving(valid) else {
        return false;
    };
    matches!(destination(valid, &serving, world), Destination::Queued(_))
}

/// Whether only the comparison of views is missing before clients can be moved to a candidate.
#[must_use]
pub fn is_comparison_due(valid: &ValidIndexer, candidate: &Revision, world: &World) -> bool {
    assess(valid, candidate, is_way_back(valid, candidate, world), world).wants_comparison
}

/// Decides on revisions.
#[must_use]
pub fn decide(valid: &ValidIndexer, world: &World) -> Decision {
    let serving = match world.assumed_serving(valid) {
        Assumed::One(serving) => serving,
        Assumed::Lost(revisions) => return lost(valid, &revisions, world),
        Assumed::Nobody => {
            let first = (valid.revision.clone(), valid.declared());
            return assemble(valid, valid.revision.clone(), None, vec![first], Step::Settled, world);
        }
    };
    let previous = world.previous(valid);
    match destination(valid, &serving, world) {
        Destination::Set(revision, record) if revision == serving => {
            let sets = vec![(serving.clone(), record)];
            let refusal = upgrade::refusal(valid, &serving, world);
            let step = refusal.map_or(Step::Settled, |why| Step::Refused(reasons::STORE_FORMAT_REFUSED, why));
            assemble(valid, serving, previous, sets, step, world)
        }
        Destination::Set(revision, record) => beside(valid, serving, (revision, record), previous, world),
        Destination::Waits(why) => stay(valid, serving, previous, Step::Blocked(why), world),
        Destination::Queued(why) => stay(valid, serving, previous, Step::Queued(why), world),
        Destination::Refused(reason, why) => stay(valid, serving, previous, Step::Refused(reason, why), world),
    }
}

/// Whether a revision is the one that served before and is kept: it has passed every gate already.
fn is_way_back(valid: &ValidIndexer, candidate: &Revision, world: &World) -> bool {
    world.previous(valid).is_some_and(|(kept, _)| kept == *candidate)
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
        let (at, (_, record)) = (world.moment(), candidate);
        let candidate = Record {
            served: Some(at),
            ..record
        };
        let sets = std::iter::once((revision.clone(), candidate)).chain(active).collect();
        (revision.clone(), Some((serving, at)), sets)
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

/// Nothing is changed before a person has said what the data is. Claims are never removed, nor used as what they may not
/// be.
fn lost(valid: &ValidIndexer, revisions: &[Revision], world: &World) -> Decision {
    let claims: Vec<&str> = revisions
        .iter()
        .filter_map(|revision| world.forgotten.get(revision))
        .flatten()
        .map(String::as_str)
        .collect();
    let (claims, named) = (
        claims.join(" "),
        revisions.iter().map(Revision::as_str).collect::<Vec<_>>().join(", "),
    );
    let (namespace, annotation) = (&valid.namespace, names::ANNOTATION_RECORD);
    let why = format!(
        "nothing is left of revision {named} but claims for its volumes, and nothing says how their data was built. If it \
         is what the spec declares, the revision of which is {}, and no other module ever continued it: kubectl annotate \
         -n {namespace} --overwrite pvc {claims} {annotation}={}. To begin anew: kubectl delete -n {namespace} pvc {claims}",
        valid.revision,
        names::RECORD_AS_DECLARED,
    );
    Decision {
        serving: revisions.first().unwrap_or(&valid.revision).clone(),
        halted: false,
        candidate: None,
        previous: None,
        sets: Vec::new(),
        untouched: world.sets.keys().cloned().collect(),
        retired: Vec::new(),
        step: Step::Lost(why),
        healthy_since: None,
        again_after: None,
    }
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
    upgrade::settle_images(valid, &mut sets, &world.sets);
    let serves = sets.iter_mut().find(|(revision, _)| *revision == serving);
    if let Some((_, record)) = serves
        && record.served.is_none()
    {
        record.served = Some(world.moment());
    }
    let is_planned = |revision: &Revision| sets.iter().any(|(planned, _)| planned == revision);
    let stays =
        |revision: &Revision| *revision == serving || previous.as_ref().is_some_and(|(kept, _)| kept == revision);
    let unplanned = || world.sets.keys().filter(|revision| !is_planned(revision));
    let untouched = unplanned().filter(|revision| stays(revision)).cloned().collect();
    let retired = unplanned().filter(|revision| !stays(revision)).cloned().collect();
    let kept_for = |at: Timestamp| valid.timing.keep_previous.saturating_sub(since(at, world.now));
    let again_after = previous.as_ref().map(|(_, at)| kept_for(*at));
    Decision {
        halted: world.sets.get(&serving).is_some_and(|set| set.halted),
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
