//! What a decision is based on: the existing objects and the reports of their pods, reduced to an enumerable set of
//! facts.

use std::{collections::BTreeMap, time::Duration};

use crds::{IndexerStatus, Revision, pod::Status};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    health::{Health, has_halted, health},
    kept::Kept,
};
use crate::{
    facts::Observed,
    names,
    objects::{ChildKind, Served},
    record::Record,
    validate::ValidIndexer,
};

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct World {
    /// The revisions named by the Service.
    pub served: Option<Served>,
    /// The revision named by the disruption budget, in case the Service was deleted.
    pub guarded: Option<Revision>,
    /// The active revision of the last status, in case both were.
    pub last_active: Option<Revision>,
    /// Every revision that has a `StatefulSet`, or had one that is to come back.
    pub sets: BTreeMap<Revision, SetState>,
    /// Claims that hold data of revisions of which nothing else is left, not even a record.
    pub forgotten: BTreeMap<Revision, Vec<String>>,
    /// What was gathered about the candidate.
    pub inquiry: Inquiry,
    /// Now.
    pub now: Timestamp,
}

/// What was gathered about the candidate, beyond what is observed of every revision.
#[derive(Clone, Debug, Default)]
pub struct Inquiry {
    /// What keeps its pods from being created, in Kubernetes' words.
    pub obstacle: Option<String>,
    /// How long there were blocks to index and it indexed none.
    pub idle: Duration,
    /// Since when it has been healthy, as observed by this process.
    pub healthy_since: Option<Timestamp>,
    /// The outcome of comparing its answers with those of the serving revision.
    pub compared: Option<Compared>,
    /// Whether the index may be built again now, if its data is too old for this version.
    pub has_turn: bool,
}

/// One revision's pods.
#[derive(Clone, Debug)]
pub struct SetState {
    /// Its record; none if it cannot be read.
    pub record: Option<Record>,
    /// The health of its pods.
    pub health: Health,
    /// Whether every pod that it has halted at a block, and says so.
    pub halted: bool,
    /// Lowest and highest height of its pods; none while a desired one does not report it, or runs another module.
    pub heights: Option<(u32, u32)>,
    /// Whether pods of it wait for a set to take them over.
    pub orphaned: bool,
    /// The oldest and the newest format of its pods' stores, as they report it.
    pub formats: Option<(u32, u32)>,
    /// The image of its `StatefulSet`.
    pub image: Option<String>,
}

/// The revision that is taken for the one behind the Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Assumed {
    /// Nothing was ever there.
    Nobody,
    /// This one.
    One(Revision),
    /// One of these, of which nothing but claims is left.
    Lost(Vec<Revision>),
}

/// The outcome of comparing views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Both revisions answered everything.
    Done {
        /// The number of answers that differ.
        different: u32,
    },
    /// They could not be compared; with the reason.
    Impossible(String),
}

impl World {
    /// Reduces what was observed. `served` are the revisions named by the Service for clients; nothing is gathered
    /// about a candidate yet.
    #[must_use]
    pub fn of(
        valid: &ValidIndexer,
        observed: &Observed,
        served: Option<Served>,
        last_status: Option<&IndexerStatus>,
        now: Timestamp,
    ) -> Self {
        let kept = Kept::of(valid, observed, last_status);
        let state = |revision: &Revision, record: Option<&Record>| SetState {
            record: record.cloned(),
            health: health(valid, revision, observed),
            halted: has_halted(revision, observed),
            heights: heights(valid, revision, record, observed),
            orphaned: observed.pods_of(revision).any(|pod| pod.orphan && !pod.terminating),
            formats: formats(revision, observed),
            image: image(&valid.name, revision, observed),
        };
        let with_objects = observed.records.iter().map(|(revision, record)| {
            let record = record.as_ref().or_else(|| kept.records.get(revision));
            (revision.clone(), state(revision, record))
        });
        let mut world = Self {
            served,
            guarded: guarded(valid, observed),
            last_active: last_status.and_then(|status| Some(status.active.as_ref()?.revision.clone())),
            sets: with_objects.collect(),
            forgotten: kept.forgotten,
            inquiry: Inquiry::default(),
            now,
        };
        for (revision, record) in &kept.records {
            let set = state(revision, Some(record));
            let may_come_back = set.orphaned || world.may_come_back(valid, revision, record);
            if !world.sets.contains_key(revision) && may_come_back {
                world.sets.insert(revision.clone(), set);
            }
        }
        let (serving, previous) = (world.assumed_serving(valid), world.previous(valid));
        let comes_back = |revision: &Revision, set: &SetState| {
            serving == Assumed::One(revision.clone())
                || previous.as_ref().is_some_and(|(previous, _)| previous == revision)
                || set
                    .record
                    .as_ref()
                    .is_some_and(|record| is_declared(valid, revision, record))
                || set.orphaned
        };
        world
            .sets
            .retain(|revision, set| observed.records.contains_key(revision) || comes_back(revision, set));
        world
    }

    /// Whether a revision without objects is more than a claim that somebody keeps.
    fn may_come_back(&self, valid: &ValidIndexer, revision: &Revision, record: &Record) -> bool {
        let named = [
            self.served.as_ref().map(|served| &served.revision),
            self.guarded.as_ref(),
        ];
        record.served.is_some() || is_declared(valid, revision, record) || named.contains(&Some(revision))
    }

    /// The revision that is taken for the one behind the Service: the one it names, else the one that the disruption budget
    /// names, else the one that clients were moved to last according to the records, else the one that the last status names,
    /// provided that there is such a revision. Else, if there is one revision only, that one; if there are several, one whose
    /// index is complete, and preferably not the declared one, which may still have to pass the gates of a rollout.
    pub(super) fn assumed_serving(&self, valid: &ValidIndexer) -> Assumed {
        let by_service = self.served.as_ref().map(|served| &served.revision);
        let latest = || self.latest_served().map(|(revision, _)| revision);
        let named = [by_service, self.guarded.as_ref(), latest(), self.last_active.as_ref()];
        for revision in named.into_iter().flatten() {
            if self.sets.contains_key(revision) {
                return Assumed::One(revision.clone());
            }
            if self.forgotten.contains_key(revision) {
                return Assumed::Lost(vec![revision.clone()]);
            }
        }
        // Of those that are left none ever served, so it may be the one that is forgotten.
        if !self.forgotten.is_empty() {
            return Assumed::Lost(self.forgotten.keys().cloned().collect());
        }
        let rank = |(revision, set): &(&Revision, &SetState)| {
            let is_complete = matches!(set.health, Health::Healthy { .. });
            (is_complete, **revision != valid.revision)
        };
        let likeliest = self.sets.iter().max_by_key(rank);
        likeliest.map_or(Assumed::Nobody, |(revision, _)| Assumed::One(revision.clone()))
    }

    /// The previous revision, while it is kept: the one that the Service notes, else the one before the last that clients
    /// were moved to.
    pub(super) fn previous(&self, valid: &ValidIndexer) -> Option<(Revision, Timestamp)> {
        let noted = self.served.as_ref().and_then(|served| served.previous.clone());
        let (revision, at) = noted.or_else(|| self.served_before(valid))?;
        let stays = since(at, self.now) < valid.timing.keep_previous && self.sets.contains_key(&revision);
        stays.then_some((revision, at))
    }

    /// The revision that served before the one that serves, and since when it does not: since now, if the operator ended
    /// before it noted that.
    fn served_before(&self, valid: &ValidIndexer) -> Option<(Revision, Timestamp)> {
        let Assumed::One(serving) = self.assumed_serving(valid) else {
            return None;
        };
        let at = self
            .record(&serving)
            .and_then(|record| record.served)
            .unwrap_or(self.now);
        let (revision, _) = self
            .moves()
            .filter(|(revision, _)| **revision != serving)
            .max_by_key(|(_, at)| *at)?;
        Some((revision.clone(), at))
    }

    /// The revision that clients were moved to last, and when.
    fn latest_served(&self) -> Option<(&Revision, Timestamp)> {
        self.moves().max_by_key(|(_, at)| *at)
    }

    /// When clients were moved to which revision last.
    fn moves(&self) -> impl Iterator<Item = (&Revision, Timestamp)> {
        let served = |(revision, set): (_, &SetState)| Some((revision, set.record.as_ref()?.served?));
        self.sets.iter().filter_map(served)
    }

    /// The moment at which clients are moved if they are now: after every earlier move, whatever the clock was set to.
    pub(super) fn moment(&self) -> Timestamp {
        let Some((_, latest)) = self.latest_served() else {
            return self.now;
        };
        let next = latest
            .checked_add(SignedDuration::from_nanos(1))
            .unwrap_or(Timestamp::MAX);
        self.now.max(next)
    }

    pub(super) fn record(&self, revision: &Revision) -> Option<&Record> {
        self.sets.get(revision)?.record.as_ref()
    }

    /// The identity a set indexes now. One without a record was not continued in place, so its name is its identity.
    pub(super) fn indexed_by(&self, revision: &Revision) -> Option<Revision> {
        let set = self.sets.get(revision)?;
        Some(
            set.record
                .as_ref()
                .map_or_else(|| revision.clone(), |record| record.identity.revision()),
        )
    }
}

/// The revision whose pods the disruption budget guards, which is the one that served when it was written.
fn guarded(valid: &ValidIndexer, observed: &Observed) -> Option<Revision> {
    let budget = (ChildKind::PodDisruptionBudget, names::shared(&valid.name));
    let selector = &observed.children.get(&budget)?["spec"]["selector"]["matchLabels"];
    Revision::parse(selector[names::LABEL_REVISION].as_str()?)
}

fn formats(revision: &Revision, observed: &Observed) -> Option<(u32, u32)> {
    let reported = || observed.answers_of(revision).filter_map(|status| status.store_format);
    reported().min().zip(reported().max())
}

fn image(indexer: &str, revision: &Revision, observed: &Observed) -> Option<String> {
    let set = (ChildKind::StatefulSet, names::of_revision(indexer, revision));
    let containers = observed.children.get(&set)?["spec"]["template"]["spec"]["containers"].as_array()?;
    let own = containers
        .iter()
        .find(|container| container["name"] == names::CONTAINER)?;
    own["image"].as_str().map(str::to_owned)
}

/// Whether a revision is the declared one, or its data is that of the declared one by now.
fn is_declared(valid: &ValidIndexer, revision: &Revision, record: &Record) -> bool {
    *revision == valid.revision || record.identity == valid.identity
}

/// None also while pods run different modules: one that has not switched to a module yet would leave it out of its
/// lineage if it were given the next one.
fn heights(
    valid: &ValidIndexer,
    revision: &Revision,
    record: Option<&Record>,
    observed: &Observed,
) -> Option<(u32, u32)> {
    let wanted = usize::try_from(valid.replicas).unwrap_or(0);
    let answers: Vec<_> = observed.answers_of(revision).collect();
    let module = record.map(|record| &record.identity.module_sha256);
    let first = answers.first()?;
    let agree = |status: &&&Status| {
        module.is_none_or(|module| status.module_sha256 == *module) && status.lineage == first.lineage
    };
    let heights: Vec<u32> = answers
        .iter()
        .filter(agree)
        .filter_map(|status| status.height)
        .collect();
    let (lowest, highest) = (heights.iter().min()?, heights.iter().max()?);
    (heights.len() >= wanted).then_some((*lowest, *highest))
}

/// How long ago `start` was; zero if it is still to come.
pub(super) fn since(start: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(start)).unwrap_or_default()
}
