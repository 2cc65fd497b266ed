//! Everything that was observed of one Indexer.

use std::collections::BTreeMap;

use crds::{Revision, pod::Status};
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::Value;

use super::{consistency::Consistency, pod::ObservedPod, sample::Sample, volume_claim::VolumeClaim};
use crate::{
    names,
    objects::{ChildKind, Served},
    record::Record,
};

/// Everything known about one Indexer's objects at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Objects it owns, by kind and name, as the API server has them.
    pub children: BTreeMap<(ChildKind, String), Value>,
    /// Objects that an earlier Indexer of the same name still owns, as kind and name.
    pub leftovers: Vec<String>,
    /// Its stateful sets once more, typed.
    pub stateful_sets: Vec<StatefulSet>,
    /// Its pods, by name.
    pub pods: Vec<ObservedPod>,
    /// Pods that carry its labels and are not its own.
    pub strangers: Vec<Stranger>,
    /// The claims for volumes of all its revisions, also of those that are gone, by name.
    pub claims: Vec<VolumeClaim>,
    /// What its Service for clients says; none if there is none.
    pub served: Option<Served>,
    /// Every revision that has a stateful set or a configuration, and its record if one of the two has one.
    pub records: BTreeMap<Revision, Option<Record>>,
    /// Whether the pods of a revision agree.
    pub consistency: BTreeMap<Revision, Consistency>,
}

/// A pod that a Service of an Indexer may send clients to, although the Indexer did not make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
}

impl Observed {
    /// The pods of one revision.
    pub fn pods_of(&self, revision: &Revision) -> impl Iterator<Item = &ObservedPod> {
        self.pods.iter().filter(move |pod| pod.revision == *revision)
    }

    /// The claims that pods of one revision of the Indexer of this name have, or would have.
    pub fn claims_of(&self, indexer: &str, revision: &Revision) -> impl Iterator<Item = &VolumeClaim> {
        let set = names::of_revision(indexer, revision);
        let is_its =
            move |claim: &&VolumeClaim| names::claimant(&claim.name).is_some_and(|pod| names::is_pod_of(&set, pod));
        self.claims.iter().filter(is_its)
    }

    /// Whether a pod of the Indexer has a claim.
    #[must_use]
    pub fn is_in_use(&self, claim: &VolumeClaim) -> bool {
        let pod = names::claimant(&claim.name);
        self.pods.iter().any(|found| Some(found.name.as_str()) == pod)
    }

    /// The samples of one revision's pods that answered.
    pub fn answers_of(&self, revision: &Revision) -> impl Iterator<Item = &Status> {
        self.pods_of(revision).map(|pod| &pod.sample).filter_map(Sample::answer)
    }
}
