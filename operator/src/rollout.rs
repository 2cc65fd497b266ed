//! (pure) Which revisions have pods, which one serves, and what moving clients to the declared one waits for.
//!
//! The Service says which revision serves, and its annotations which one served before: both change in one write, so that
//! an operator that ends anywhere leaves nothing half moved. All else is derived from the objects that exist, see
//! [`World`], and [`rollout`] decides anew in each pass. A candidate never touches the serving revision; a revision that
//! serves, is declared, or is kept for a way back is never removed.

use std::time::Duration;

use crds::{OnDifference, Revision, RolloutStrategy, conditions::reasons};
use k8s_openapi::jiff::Timestamp;

mod health;
mod in_place;
mod replacement;
mod world;

pub use health::Health;
pub use replacement::{is_outdated, is_template_unknown, next_replacement};
pub use world::{Compared, Served, SetState, World};

use crate::{
    record::{Record, SeedRecord},
    sampler::change::NUMBERS_INTERVAL,
    validate::ValidIndexer,
};

/// What shall be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// The revision behind the Service.
    pub serving: Revision,
    /// The declared one, if it is another.
    pub candidate: Option<Revision>,
    /// The one that served before and is kept, and since when.
    pub previous: Option<(Revision, Timestamp)>,
    /// Every revision that has objects, the serving one first, and what is particular to it.
    pub sets: Vec<(Revision, Record)>,
    /// Revisions whose record cannot be read: their objects stay as they are.
    pub untouched: Vec<Revision>,
    /// Revisions whose objects are still there and go.
    pub retired: Vec<Revision>,
    /// Where the rollout stands.
    pub step: Step,
    /// Since when the candidate is healthy.
    pub healthy_since: Option<Timestamp>,
    /// After which time this must be decided anew even if nothing changes.
    pub again_after: Option<Duration>,
    /// Whether the answers of candidate and serving revision are to be compared now.
    pub wants_comparison: bool,
}

impl Rollout {
    /// What the Service shall say.
    #[must_use]
    pub fn served(&self) -> Served {
        Served {
            revision: self.serving.clone(),
            previous: self.previous.clone(),
        }
    }

    /// Whether a revision's pods are there to stay for now.
    #[must_use]
    pub fn keeps(&self, revision: &Revision) -> bool {
        self.sets.iter().any(|(kept, _)| kept == revision) || self.untouched.contains(revision)
    }
}

/// Where a rollout stands. Texts hold no figure that moves by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The declared revision serves.
    Settled,
    /// The candidate is not caught up, or not healthy; with what it waits for.
    CatchingUp(String),
    /// It is, and must stay so for a while.
    Soaking,
    /// Something outside it is waited for.
    Blocked(String),
    /// Clients are moved with this pass.
    Switching,
    /// The candidate failed; with its words.
    Failed(String),
    /// What is declared cannot be begun; a reason of `crds::conditions`, and what to do.
    Refused(&'static str, String),
}

/// Where the declared revision's index is, or shall be.
enum Destination {
    Set(Revision, Record),
    Waits(String),
    Refused(&'static str, String),
}

/// Decides on revisions.
#[must_use]
pub fn rollout(valid: &ValidIndexer, world: &World) -> Rollout {
    let Some(serving) = world.serving() else {
        let first = (valid.revision.clone(), Record::declared(valid));
        return assemble(valid.revision.clone(), None, vec![first], Step::Settled, world);
    };
    let previous = world.previous(valid.timing.keep_previous);
    match destination(valid, &serving, world) {
        Destination::Set(revision, record) if revision == serving => {
            assemble(serving.clone(), previous, vec![(serving, record)], Step::Settled, world)
        }
        Destination::Set(revision, record) => beside(valid, serving, (revision, record), previous, world),
        Destination::Waits(why) => stay(serving, previous, Step::Blocked(why), world),
        Destination::Refused(reason, why) => stay(serving, previous, Step::Refused(reason, why), world),
    }
}

/// Where the index of the declared identity is: in a set that has it already, whatever strategy made it; in the set that
/// began with it and was continued in place since, which goes back; on the serving data; or in a new set.
fn destination(valid: &ValidIndexer, serving: &Revision, world: &World) -> Destination {
    let declared = Record::declared(valid);
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
        return Destination::Set(valid.revision.clone(), in_place::back(declared, world));
    }
    if valid.rollout.strategy == RolloutStrategy::InPlace {
        return in_place::onward(valid, serving, world);
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
    if let Some(field) = in_place::differs_beyond_module(&active.identity, &valid.identity) {
        return Err(format!(
            "{field} differs from that of revision {serving}, whose data was built under another one; \
             remove rollout.seed to build from chain.startHeight"
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

/// A candidate beside the serving revision: watched, and made the serving one when it is time.
fn beside(
    valid: &ValidIndexer,
    serving: Revision,
    candidate: (Revision, Record),
    previous: Option<(Revision, Timestamp)>,
    world: &World,
) -> Rollout {
    let revision = candidate.0.clone();
    let is_way_back = previous.as_ref().is_some_and(|(revision, _)| *revision == candidate.0);
    let verdict = judge(valid, &revision, is_way_back, world);
    let active = world.record(&serving).cloned().map(|record| (serving.clone(), record));
    let (serving, previous, sets) = if verdict.step == Step::Switching {
        let sets = std::iter::once(candidate).chain(active).collect();
        (revision.clone(), Some((serving, world.now)), sets)
    } else {
        (serving, previous, active.into_iter().chain([candidate]).collect())
    };
    let assembled = assemble(serving, previous, sets, verdict.step, world);
    Rollout {
        candidate: Some(revision),
        healthy_since: verdict.healthy_since,
        wants_comparison: verdict.wants_comparison,
        again_after: verdict.again_after.into_iter().chain(assembled.again_after).min(),
        ..assembled
    }
}

/// What the candidate is ready for.
struct Verdict {
    step: Step,
    healthy_since: Option<Timestamp>,
    again_after: Option<Duration>,
    wants_comparison: bool,
}

impl Verdict {
    fn of(step: Step) -> Self {
        Self {
            step,
            healthy_since: None,
            again_after: None,
            wants_comparison: false,
        }
    }
}

/// Between two looks at a candidate that waits for what tells nobody when it is there. As seldom as figures that move are
/// shown: each look may show some.
const LOOK_AGAIN: Duration = NUMBERS_INTERVAL;

fn judge(valid: &ValidIndexer, revision: &Revision, is_way_back: bool, world: &World) -> Verdict {
    let absent = Health::Waits("its pods are being made".into());
    let health = world.sets.get(revision).map_or(&absent, |set| &set.health);
    match health {
        Health::Failed(why) => Verdict::of(Step::Failed(why.clone())),
        Health::Blocked(why) => Verdict {
            again_after: Some(LOOK_AGAIN),
            ..Verdict::of(Step::Blocked(why.clone()))
        },
        Health::Waits(why) => waits(valid, why, world),
        Health::Healthy { tip } => healthy(valid, revision, *tip, is_way_back, world),
    }
}

fn waits(valid: &ValidIndexer, why: &str, world: &World) -> Verdict {
    let deadline = valid.timing.progress_deadline;
    let idle = world.progressed_at.map_or(Duration::ZERO, |at| since(at, world.now));
    if idle >= deadline {
        let spelled = &valid.rollout.progress_deadline.0;
        return Verdict::of(Step::Failed(format!("no block indexed for {spelled}: {why}")));
    }
    Verdict {
        again_after: Some((deadline - idle).min(LOOK_AGAIN)),
        ..Verdict::of(Step::CatchingUp(why.to_owned()))
    }
}

/// The gates between a healthy candidate and the clients, in order. The way back has passed them all before.
fn healthy(valid: &ValidIndexer, revision: &Revision, tip: u32, is_way_back: bool, world: &World) -> Verdict {
    let healthy_since = world.healthy_since(revision).unwrap_or(world.now);
    let verdict = |step| Verdict {
        healthy_since: Some(healthy_since),
        ..Verdict::of(step)
    };
    if is_way_back {
        return verdict(Step::Switching);
    }
    let soaked = since(healthy_since, world.now);
    if soaked < valid.timing.soak {
        return Verdict {
            again_after: Some(valid.timing.soak - soaked),
            ..verdict(Step::Soaking)
        };
    }
    if let Some(height) = valid.rollout.activate_at.filter(|height| tip < *height) {
        return verdict(Step::Blocked(format!(
            "the chain has not reached rollout.activateAt {height}"
        )));
    }
    if valid.rollout.compare_views.is_empty() {
        return verdict(Step::Switching);
    }
    match &world.compared {
        None => Verdict {
            wants_comparison: true,
            again_after: Some(LOOK_AGAIN),
            ..verdict(Step::Blocked("rollout.compareViews are being asked".into()))
        },
        Some(Compared::Impossible(why)) => Verdict {
            wants_comparison: true,
            again_after: Some(LOOK_AGAIN),
            ..verdict(Step::Blocked(why.clone()))
        },
        Some(Compared::Done { different }) if *different > 0 && valid.rollout.on_difference == OnDifference::Block => {
            verdict(Step::Blocked(format!(
                "{different} answers to rollout.compareViews differ, see status.comparison"
            )))
        }
        Some(Compared::Done { .. }) => verdict(Step::Switching),
    }
}

/// Nothing moves; every revision that serves or is kept keeps its objects.
fn stay(serving: Revision, previous: Option<(Revision, Timestamp)>, step: Step, world: &World) -> Rollout {
    let sets = world.record(&serving).cloned().map(|record| (serving.clone(), record));
    assemble(serving, previous, sets.into_iter().collect(), step, world)
}

/// Adds what is kept for a way back, and sorts out what goes.
fn assemble(
    serving: Revision,
    previous: Option<(Revision, Timestamp)>,
    mut sets: Vec<(Revision, Record)>,
    step: Step,
    world: &World,
) -> Rollout {
    if let Some((kept, _)) = &previous
        && !sets.iter().any(|(revision, _)| revision == kept)
    {
        sets.extend(world.record(kept).cloned().map(|record| (kept.clone(), record)));
    }
    let is_planned = |revision: &Revision| sets.iter().any(|(planned, _)| planned == revision);
    let stays =
        |revision: &Revision| *revision == serving || previous.as_ref().is_some_and(|(kept, _)| kept == revision);
    let unplanned = || world.sets.keys().filter(|revision| !is_planned(revision));
    let untouched = unplanned().filter(|revision| stays(revision)).cloned().collect();
    let retired = unplanned().filter(|revision| !stays(revision)).cloned().collect();
    let again_after = previous.as_ref().and(world.previous_goes_in);
    Rollout {
        serving,
        candidate: None,
        previous,
        sets,
        untouched,
        retired,
        step,
        healthy_since: None,
        again_after,
        wants_comparison: false,
    }
}

fn since(start: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(start)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
