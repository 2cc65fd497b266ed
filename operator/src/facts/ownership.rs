//! (pure) Which of the pods that carry an Indexer's labels are its pods.
//!
//! Labels are anybody's to write; who owns a pod is checked by Kubernetes, whose garbage collector deletes one that names
//! an owner that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use crds::{IndexerStatus, Revision};
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::ResourceExt;

use crate::{
    names,
    objects::{Key, Owner, owner},
};

/// Whose a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The Indexer's.
    Ours,
    /// It is going, or is not known to be anybody's yet, which the next watch event or the garbage collector settles.
    Undecided,
    /// Not the Indexer's, although a Service of it may send clients there.
    Stranger,
}

/// What tells whose a pod is.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// Names of the Indexer's sets, by unique id.
    own: BTreeMap<String, String>,
    /// Unique ids of sets that an earlier Indexer of its name left: they go, or are taken over by the next pass.
    others: BTreeSet<String>,
    /// Names of its sets that are not being deleted.
    lasting: BTreeSet<String>,
    /// Names of sets that are to come back.
    awaited: BTreeSet<String>,
    /// Unique ids of pods that were the Indexer's when its last status was written.
    recorded: BTreeSet<String>,
}

impl Ownership {
    /// `sets` are those with the labels of the Indexer of this name and unique id. The pods that were its own are in its status,
    /// because that is written whenever a pod comes or goes anyway and outlives the operator.
    pub fn new<'a>(
        sets: impl Iterator<Item = &'a StatefulSet>,
        key: &Key,
        uid: &str,
        last_status: Option<&IndexerStatus>,
    ) -> Self {
        let rows = last_status.map(|status| status.pods.as_slice()).unwrap_or_default();
        let mut found = Self {
            recorded: rows.iter().filter_map(|row| row.uid.clone()).collect(),
            ..Self::default()
        };
        for set in sets {
            let id = set.uid().unwrap_or_default();
            match owner(&set.metadata, key, uid) {
                Owner::This => {
                    if set.metadata.deletion_timestamp.is_none() {
                        found.lasting.insert(set.name_any());
                    }
                    found.own.insert(id, set.name_any());
                }
                Owner::Predecessor => drop(found.others.insert(id)),
                Owner::Unowned if has_our_name(set, key) => drop(found.others.insert(id)),
                Owner::Unowned | Owner::Another => {}
            }
        }
        found
    }

    /// Also with the revisions that the Indexer of this name has, of which some may have no set at the moment: it is being
    /// replaced, and its pods belong to nobody until the next one takes them over.
    #[must_use]
    pub fn awaiting<'a>(mut self, indexer: &str, revisions: impl Iterator<Item = &'a Revision>) -> Self {
        let sets = revisions.map(|revision| names::of_revision(indexer, revision));
        self.awaited = sets.filter(|set| !self.lasting.contains(set)).collect();
        self
    }

    /// Whose a pod is that carries the labels of the Indexer of this name.
    #[must_use]
    pub fn claim(&self, pod: &Pod, indexer: &str) -> Claim {
        let revision = pod
            .labels()
            .get(names::LABEL_REVISION)
            .and_then(|text| Revision::parse(text));
        let set = revision.map(|revision| names::of_revision(indexer, &revision));
        let set = set.as_deref().filter(|set| names::is_pod_of(set, &pod.name_any()));
        let is_recorded = pod.uid().is_some_and(|uid| self.recorded.contains(&uid));
        let owners = pod.owner_references();
        let controller = owners.iter().find(|owner| owner.controller == Some(true));
        match (controller, set) {
            (Some(by), Some(set)) if self.own.get(&by.uid).is_some_and(|own| own == set) => Claim::Ours,
            (Some(by), _) if self.others.contains(&by.uid) => Claim::Undecided,
            // The set was deleted a moment ago, or was made a moment ago and is not in the cache yet.
            (Some(by), Some(set)) if self.is_unknown(by, set) && is_recorded => Claim::Ours,
            (Some(by), Some(set)) if self.is_unknown(by, set) => Claim::Undecided,
            // While a set is replaced, its pods belong to nobody until the next one takes them over.
            (None, Some(_)) if owners.is_empty() && is_recorded => Claim::Ours,
            (None, Some(set)) if owners.is_empty() && self.awaited.contains(set) => Claim::Undecided,
            _ if pod.metadata.deletion_timestamp.is_some() => Claim::Undecided,
            _ => Claim::Stranger,
        }
    }

    fn is_unknown(&self, by: &OwnerReference, set: &str) -> bool {
        by.kind == "StatefulSet" && by.name == set && !self.own.contains_key(&by.uid)
    }
}

fn has_our_name(set: &StatefulSet, key: &Key) -> bool {
    let revision = set
        .labels()
        .get(names::LABEL_REVISION)
        .and_then(|text| Revision::parse(text));
    revision.is_some_and(|revision| names::of_revision(&key.name, &revision) == set.name_any())
}

#[cfg(test)]
mod tests {
    use crds::PodRow;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{self, valid};

    fn set() -> String {
        names::of_revision("one", &valid().revision)
    }

    fn stateful_set(uid: &str, name: &str, owner: &str) -> StatefulSet {
        let owner = json!({"apiVersion": "shrewd.dev/v1alpha1", "kind": "Indexer", "name": "one", "uid": owner});
        serde_json::from_value(json!({"metadata": {"name": name, "uid": uid, "ownerReferences": [owner]}})).unwrap()
    }

    fn controlled(kind: &str, name: &str, uid: &str) -> Value {
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
    }

    #[test]
    fn labels_alone_make_no_pod_ours() {
        let name = format!("{}-0", set());
        let ours = controlled("StatefulSet", &set(), "set");
        let unknown = controlled("StatefulSet", &set(), "another");
        let mut not_controlled = ours.clone();
        not_controlled[0]["controller"] = json!(false);
        // What; name, unique id, owners, whether it is going; whose it is.
        let cases = [
            (
                "a pod of the set",
                name.as_str(),
                "new",
                ours.clone(),
                false,
                Claim::Ours,
            ),
            (
                "the tenth",
                &format!("{}-10", set()),
                "new",
                ours.clone(),
                false,
                Claim::Ours,
            ),
            ("made by hand", "forged", "new", json!([]), false, Claim::Stranger),
            (
                "made by hand under a pod's name",
                &name,
                "new",
                json!([]),
                false,
                Claim::Stranger,
            ),
            (
                "of a ReplicaSet",
                "web-1",
                "new",
                controlled("ReplicaSet", "web", "x"),
                false,
                Claim::Stranger,
            ),
            (
                "owned by the set in words only",
                "forged",
                "new",
                ours.clone(),
                false,
                Claim::Stranger,
            ),
            (
                "not a number",
                &format!("{}-01", set()),
                "new",
                ours,
                false,
                Claim::Stranger,
            ),
            (
                "owned and not controlled",
                &name,
                "new",
                not_controlled,
                false,
                Claim::Stranger,
            ),
            (
                "a stranger that goes",
                "forged",
                "new",
                json!([]),
                true,
                Claim::Undecided,
            ),
            (
                "orphaned while the set is replaced",
                &name,
                "recorded",
                json!([]),
                false,
                Claim::Ours,
            ),
            (
                "recorded under another name",
                "forged",
                "recorded",
                json!([]),
                false,
                Claim::Stranger,
            ),
            (
                "the set is gone",
                &name,
                "recorded",
                unknown.clone(),
                false,
                Claim::Ours,
            ),
            (
                "the set is not in the cache",
                &name,
                "new",
                unknown,
                false,
                Claim::Undecided,
            ),
            (
                "a leftover",
                &name,
                "new",
                controlled("StatefulSet", &set(), "old-set"),
                false,
                Claim::Undecided,
            ),
        ];
        let status = IndexerStatus {
            pods: vec![PodRow {
                uid: Some("recorded".into()),
                ..fixtures::row(&name)
            }],
            ..IndexerStatus::default()
        };
        let sets = [
            stateful_set("set", &set(), "uid-1"),
            stateful_set("old-set", &set(), "uid-0"),
        ];
        let ownership = Ownership::new(sets.iter(), &fixtures::key(), "uid-1", Some(&status));
        for (what, name, uid, owners, is_going, expected) in cases {
            let mut pod = fixtures::pod(name, &fixtures::running_status());
            pod.metadata.uid = Some(uid.into());
            pod.metadata.owner_references = serde_json::from_value(owners).unwrap();
            pod.metadata.deletion_timestamp = is_going.then_some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
                k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
            ));
            assert_eq!(ownership.claim(&pod, "one"), expected, "{what}");
        }
    }

    #[test]
    fn a_new_pod_without_an_owner_is_no_stranger_while_its_set_is_replaced() {
        let mut pod = fixtures::pod(&format!("{}-0", set()), &fixtures::running_status());
        pod.metadata.owner_references = None;
        let mut going = stateful_set("set", &set(), "uid-1");
        going.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        ));
        let (ours, other) = (valid().revision, Revision::parse("0123456789").unwrap());
        for (what, sets, revisions, expected) in [
            ("the set is gone", vec![], vec![&ours], Claim::Undecided),
            ("the set goes", vec![going], vec![&ours], Claim::Undecided),
            (
                "the set stays",
                vec![stateful_set("set", &set(), "uid-1")],
                vec![&ours],
                Claim::Stranger,
            ),
            ("of a revision that is not known", vec![], vec![&other], Claim::Stranger),
        ] {
            let ownership = Ownership::new(sets.iter(), &fixtures::key(), "uid-1", None);
            let ownership = ownership.awaiting("one", revisions.into_iter());
            assert_eq!(ownership.claim(&pod, "one"), expected, "{what}");
        }
    }

    #[test]
    fn a_pod_of_one_revision_that_is_labelled_as_another_is_a_stranger() {
        let ownership = Ownership::new(
            [stateful_set("set", &set(), "uid-1")].iter(),
            &fixtures::key(),
            "uid-1",
            None,
        );
        let mut pod = fixtures::pod(&format!("{}-0", set()), &fixtures::running_status());
        pod.metadata.owner_references = serde_json::from_value(controlled("StatefulSet", &set(), "set")).unwrap();
        let revision = (names::LABEL_REVISION.to_owned(), "0123456789".to_owned());
        pod.metadata.labels.as_mut().unwrap().extend([revision]);
        assert_eq!(ownership.claim(&pod, "one"), Claim::Stranger);
    }
}
