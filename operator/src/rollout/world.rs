//! What a decision is based on: the existing objects and the reports of their pods, reduced to an enumerable set of
//! facts.

use std::{collections::BTreeMap, time::Duration};

use crds::{IndexerStatus, Revision, pod::Status};
use k8s_openapi::jiff::Timestamp;

use super::health::{Health, health};
use crate::{facts::Observed, objects::Served, record::Record, validate::ValidIndexer};

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct World {
    /// The revisions named by the Service.
    pub served: Option<Served>,
    /// The active revision of the last status, in case the Service was deleted.
    pub last_active: Option<Revision>,
    /// Every revision that has a `StatefulSet`, or had one that is to come back.
    pub sets: BTreeMap<Revision, SetState>,
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
}

/// One revision's pods.
#[derive(Clone, Debug)]
pub struct SetState {
    /// Its record; none if it cannot be read.
    pub record: Option<Record>,
    /// The health of its pods.
    pub health: Health,
    /// Lowest and highest height of its pods; none while a desired one does not report it, or runs another module.
    pub heights: Option<(u32, u32)>,
    /// Whether pods of it wait for a set to take them over.
    pub orphaned: bool,
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
        let state = |(revision, record): (&Revision, &Option<Record>)| {
            let state = SetState {
                record: record.clone(),
                health: health(valid, revision, observed),
                heights: heights(valid, revision, record.as_ref(), observed),
                orphaned: observed.pods_of(revision).any(|pod| pod.orphan && !pod.terminating),
            };
            (revision.clone(), state)
        };
        Self {
            served,
            last_active: last_status.and_then(|status| Some(status.active.as_ref()?.revision.clone())),
            sets: observed.records.iter().map(state).collect(),
            inquiry: Inquiry::default(),
            now,
        }
    }

    /// The revision that is taken for the one behind the Service: the one it names, else the one that the last status
    /// named, else the only one, provided that it has a set.
    pub(super) fn assumed_serving(&self) -> Option<Revision> {
        let by_service = self.served.as_ref().map(|served| &served.revision);
        let only = || (self.sets.len() == 1).then(|| self.sets.keys().next()).flatten();
        let exists = |revision: &&Revision| self.sets.contains_key(*revision);
        let named = by_service
            .filter(exists)
            .or_else(|| self.last_active.as_ref().filter(exists));
        named.or_else(only).cloned()
    }

    /// The previous revision, while it is kept.
    pub(super) fn previous(&self, keep: Duration) -> Option<(Revision, Timestamp)> {
        let (revision, at) = self.served.as_ref()?.previous.as_ref()?;
        let stays = since(*at, self.now) < keep && self.sets.contains_key(revision);
        stays.then(|| (revision.clone(), *at))
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
