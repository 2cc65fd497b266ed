//! [pure, infallible] The objects that shall exist, and how they differ from those that do.

use std::collections::BTreeSet;

use crds::Revision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, api::ApiResource};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

mod config_map;
mod pod_disruption_budget;
mod service;
mod service_account;
mod stateful_set;

pub use service::served;

use crate::{
    names,
    observe::Observed,
    record::{Record, revision_of},
    rollout::Rollout,
    validate::ValidIndexer,
};

/// Kinds of objects an Indexer owns, in the order in which they are applied: what a pod mounts comes before the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// The identity of its pods, without rights and without a token.
    ServiceAccount,
    /// The configuration of one revision's pods.
    ConfigMap,
    /// The one for clients and the headless one.
    Service,
    /// The bound on voluntary disruptions.
    PodDisruptionBudget,
    /// The pods of one revision.
    StatefulSet,
}

/// An object as it shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
    /// The fields this operator decides on.
    pub body: Value,
}

impl Child {
    /// The revision it belongs to; none if it serves all of them.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        revision_of(&self.body)
    }
}

/// Every object of an Indexer, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The objects.
    pub children: Vec<Child>,
    /// Revisions whose objects stay as they are.
    pub untouched: Vec<Revision>,
}

/// What must be done to get from what there is to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes<'a> {
    /// Objects to apply, in order.
    pub apply: Vec<&'a Child>,
    /// Objects to delete: kind, name and unique id.
    pub prune: Vec<(ChildKind, String, String)>,
}

/// Plans every object of an Indexer.
#[must_use]
pub fn plan(valid: &ValidIndexer, rollout: &Rollout) -> Plan {
    let mut children = vec![
        child(ChildKind::ServiceAccount, &service_account::build(valid)),
        child(ChildKind::Service, &service::for_clients(valid, rollout)),
        child(ChildKind::Service, &service::for_pods(valid)),
        child(
            ChildKind::PodDisruptionBudget,
            &pod_disruption_budget::build(valid, &rollout.serving),
        ),
    ];
    for (revision, record) in &rollout.sets {
        let config = config_map::build(valid, revision, record);
        let set = stateful_set::build(valid, revision, record, &config_map::hash(&config));
        children.extend([
            child(ChildKind::ConfigMap, &config),
            child(ChildKind::StatefulSet, &set),
        ]);
    }
    children.sort_by_key(|child| child.kind);
    Plan {
        children,
        untouched: rollout.untouched.clone(),
    }
}

impl Plan {
    /// Compares the plan with what there is.
    #[must_use]
    pub fn changes(&self, observed: &Observed) -> Changes<'_> {
        let live = |child: &Child| observed.children.get(&(child.kind, child.name.clone()));
        let apply = self
            .children
            .iter()
            .filter(|c| !live(c).is_some_and(|live| covers(live, &c.body)))
            .collect();
        let planned: BTreeSet<(ChildKind, &str)> = self.children.iter().map(|c| (c.kind, c.name.as_str())).collect();
        let prune = observed
            .children
            .iter()
            .filter(|((kind, name), live)| !planned.contains(&(*kind, name)) && !is_being_deleted(live))
            .filter(|(_, live)| !revision_of(live).is_some_and(|revision| self.untouched.contains(&revision)))
            .filter_map(|((kind, name), live)| Some((*kind, name.clone(), uid(live)?)))
            .collect();
        Changes { apply, prune }
    }
}

impl ChildKind {
    /// Group, version and plural of the kind.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        use k8s_openapi::api::{apps::v1, core::v1 as core, policy::v1 as policy};
        match self {
            Self::ServiceAccount => ApiResource::erase::<core::ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<core::ConfigMap>(&()),
            Self::Service => ApiResource::erase::<core::Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<policy::PodDisruptionBudget>(&()),
            Self::StatefulSet => ApiResource::erase::<v1::StatefulSet>(&()),
        }
    }
}

/// Metadata of an object of one revision, or of all of them.
fn metadata(valid: &ValidIndexer, name: String, revision: Option<&crds::Revision>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.namespace.clone()),
        labels: Some(names::object_labels(&valid.name, revision)),
        owner_references: Some(vec![OwnerReference {
            api_version: crds::Indexer::api_version(&()).into_owned(),
            kind: crds::Indexer::kind(&()).into_owned(),
            name: valid.name.clone(),
            uid: valid.uid.clone(),
            controller: Some(true),
            // `kubectl delete --cascade=foreground` then returns when the pods are gone.
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// Metadata of `ConfigMap` and `StatefulSet` of a revision, with the record of what is particular to it.
fn metadata_with(valid: &ValidIndexer, revision: &Revision, record: &Record) -> ObjectMeta {
    let mut metadata = metadata(valid, names::of_revision(&valid.name, revision), Some(revision));
    metadata.annotations = Some([(names::ANNOTATION_RECORD.to_owned(), record.text())].into());
    metadata
}

fn child<K: Resource<DynamicType = ()> + Serialize>(kind: ChildKind, object: &K) -> Child {
    #[allow(clippy::expect_used)] // maps with text keys, texts, numbers and booleans all have a JSON form
    let mut body = serde_json::to_value(object).expect("types of the Kubernetes API turn into JSON");
    let hash = hash(body.to_string().as_bytes());
    body["metadata"]["annotations"][names::ANNOTATION_APPLIED] = json!(hash);
    Child {
        kind,
        name: object.meta().name.clone().unwrap_or_default(),
        body,
    }
}

/// Sixteen hex digits, enough to tell one object's versions apart.
fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

/// Whether an object has every planned field with the planned value. The API server adds fields of its own; the
/// annotation with the hash of the plan tells of fields that are no longer planned.
fn covers(live: &Value, planned: &Value) -> bool {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => planned
            .iter()
            .all(|(key, planned)| live.get(key).is_some_and(|live| covers(live, planned))),
        (Value::Array(live), Value::Array(planned)) => {
            live.len() == planned.len() && live.iter().zip(planned).all(|(live, planned)| covers(live, planned))
        }
        (live, planned) => live == planned,
    }
}

fn is_being_deleted(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_null()
}

fn uid(live: &Value) -> Option<String> {
    live["metadata"]["uid"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{live, settled, valid};

    fn planned() -> Plan {
        plan(&valid(), &settled(&valid()))
    }

    #[test]
    fn what_is_as_planned_is_left_alone() {
        let plan = planned();
        let observed = live(&plan);
        let changes = plan.changes(&observed);
        assert_eq!(
            changes,
            Changes {
                apply: vec![],
                prune: vec![]
            }
        );
    }

    #[test]
    fn an_edited_field_and_a_field_that_left_the_plan_are_put_right() {
        let plan = planned();
        let mut observed = live(&plan);
        let service = (ChildKind::Service, "one".to_owned());
        observed.children.get_mut(&service).unwrap()["spec"]["selector"] = json!({"app": "mine"});
        let budget = (ChildKind::PodDisruptionBudget, "one".to_owned());
        observed.children.get_mut(&budget).unwrap()["metadata"]["annotations"][names::ANNOTATION_APPLIED] =
            json!("old");
        let changed: Vec<ChildKind> = plan.changes(&observed).apply.iter().map(|child| child.kind).collect();
        assert_eq!(changed, [ChildKind::Service, ChildKind::PodDisruptionBudget]);
    }

    #[test]
    fn objects_of_an_earlier_revision_are_pruned_once() {
        let plan = planned();
        let mut observed = live(&plan);
        let old = json!({"metadata": {"name": "one-0000000000", "uid": "u1"}});
        let going = json!({"metadata": {"name": "one-1", "uid": "u2", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-0000000000".into()), old);
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-1".into()), going);
        let expected = vec![(ChildKind::StatefulSet, "one-0000000000".to_owned(), "u1".to_owned())];
        assert_eq!(plan.changes(&observed).prune, expected);
    }

    #[test]
    fn what_a_pod_mounts_is_applied_before_the_pod() {
        let kinds: Vec<ChildKind> = planned().children.iter().map(|child| child.kind).collect();
        assert!(kinds.is_sorted());
        assert_eq!(kinds.last(), Some(&ChildKind::StatefulSet));
    }
}
