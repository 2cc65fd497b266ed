//! What is decided about revisions.

use std::time::Duration;

use crds::Revision;
use k8s_openapi::jiff::Timestamp;

use crate::{objects::Served, record::Record};

/// The revisions that should exist, the one that serves, and how far the rollout is.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The revision behind the Service.
    pub serving: Revision,
    /// Whether every pod of it has halted, so that clients are led to them although none is ready.
    pub halted: bool,
    /// The declared one, if it is another.
    pub candidate: Option<Revision>,
    /// The previous revision, if it is kept, and since when.
    pub previous: Option<(Revision, Timestamp)>,
    /// Every revision that has objects, the serving one first, and what is particular to it.
    pub sets: Vec<(Revision, Record)>,
    /// Revisions whose record cannot be read: their objects stay as they are.
    pub untouched: Vec<Revision>,
    /// Revisions whose objects still exist and are to be removed.
    pub retired: Vec<Revision>,
    /// How far the rollout is.
    pub step: Step,
    /// Since when the candidate is healthy.
    pub healthy_since: Option<Timestamp>,
    /// After which time a new decision is due even if nothing changes.
    pub again_after: Option<Duration>,
}

impl Decision {
    /// What the Service should say.
    #[must_use]
    pub fn served(&self) -> Served {
        Served {
            revision: self.serving.clone(),
            previous: self.previous.clone(),
        }
    }

    /// The record of a revision that has objects.
    #[must_use]
    pub fn record(&self, revision: &Revision) -> Option<&Record> {
        let mut sets = self.sets.iter();
        sets.find(|(of, _)| of == revision).map(|(_, record)| record)
    }

    /// Whether a revision's pods are to stay for now.
    #[must_use]
    pub fn keeps(&self, revision: &Revision) -> bool {
        self.sets.iter().any(|(kept, _)| kept == revision) || self.untouched.contains(revision)
    }
}

/// How far a rollout is. Texts contain no figure that changes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The declared revision serves.
    Settled,
    /// The candidate has not caught up or is not healthy; with what it is waiting for.
    CatchingUp(String),
    /// It is caught up and healthy, and must stay so for a while.
    Soaking,
    /// It waits for something outside it.
    Blocked(String),
    /// Its answers differ, and that is to keep clients away from it: a person decides. With how many do.
    Differs(String),
    /// It is to be made once others are done; with why.
    Queued(String),
    /// This pass moves clients to it.
    Switching,
    /// The candidate failed; with its error.
    Failed(String),
    /// Of the serving revision nothing is left but claims; with what to do. Nothing is changed.
    Lost(String),
    /// The declared identity cannot be built; a reason of `crds::conditions`, and what to do.
    Refused(&'static str, String),
}
