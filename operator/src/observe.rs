//! (I/O) What there is: the objects of one Indexer out of the watch caches, and what its pods say.

use std::{collections::BTreeMap, sync::Arc};

use crds::Revision;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Pod, Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Resource, ResourceExt, runtime::reflector::Store};
use serde::Serialize;
use serde_json::Value;

pub mod consistency;
mod digests;
pub mod obstacles;
pub mod pod;

pub use consistency::{Consistency, Difference};
pub use pod::ObservedPod;

use crate::{
    names,
    plan::{self, ChildKind},
    record::{Record, records},
    rollout::Served,
    sampler::{Key, Sample, Sampler},
};

/// The watch caches of one scope, each limited to the objects this operator manages.
#[derive(Clone)]
pub struct Stores {
    /// Stateful sets.
    pub stateful_sets: Store<StatefulSet>,
    /// Pods.
    pub pods: Store<Pod>,
    /// Configurations.
    pub config_maps: Store<ConfigMap>,
    /// Services.
    pub services: Store<Service>,
    /// Service accounts.
    pub service_accounts: Store<ServiceAccount>,
    /// Disruption budgets.
    pub budgets: Store<PodDisruptionBudget>,
}

/// All that is known of one Indexer's objects at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Objects it owns, by kind and name, as the API server has them.
    pub children: BTreeMap<(ChildKind, String), Value>,
    /// Whether there are objects that an earlier Indexer of the same name still owns.
    pub has_leftovers: bool,
    /// Its stateful sets once more, typed.
    pub stateful_sets: Vec<StatefulSet>,
    /// Its pods, by name.
    pub pods: Vec<ObservedPod>,
    /// What its Service for clients says; none if there is none.
    pub served: Option<Served>,
    /// Every revision that has a stateful set, and its record if it can be read.
    pub records: BTreeMap<Revision, Option<Record>>,
    /// Whether the pods of a revision agree.
    pub consistency: BTreeMap<Revision, Consistency>,
    /// What keeps pods of a revision from being made, in Kubernetes' words.
    pub obstacles: BTreeMap<Revision, String>,
}

impl Stores {
    /// Waits until every cache was filled once. A pass before that would take absent for missing.
    ///
    /// # Errors
    /// If a watch has ended, which happens at shutdown only.
    pub async fn wait_until_ready(&self) -> Result<(), kube::runtime::reflector::store::WriterDropped> {
        self.stateful_sets.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.services.wait_until_ready().await?;
        self.service_accounts.wait_until_ready().await?;
        self.budgets.wait_until_ready().await
    }
}

/// Gathers what there is of one Indexer. `uid` is that of the resource: what an earlier one of the same name left
/// behind is not its own.
pub async fn observe(stores: &Stores, sampler: &Sampler, key: &Key, uid: &str) -> Observed {
    let mut children = BTreeMap::new();
    let mut has_leftovers = false;
    let stateful_sets = of(&stores.stateful_sets, key);
    has_leftovers |= collect(
        &mut children,
        ChildKind::ServiceAccount,
        &of(&stores.service_accounts, key),
        uid,
    );
    has_leftovers |= collect(&mut children, ChildKind::ConfigMap, &of(&stores.config_maps, key), uid);
    has_leftovers |= collect(&mut children, ChildKind::Service, &of(&stores.services, key), uid);
    has_leftovers |= collect(
        &mut children,
        ChildKind::PodDisruptionBudget,
        &of(&stores.budgets, key),
        uid,
    );
    has_leftovers |= collect(&mut children, ChildKind::StatefulSet, &stateful_sets, uid);
    let mut pods: Vec<ObservedPod> = of(&stores.pods, key)
        .iter()
        .filter_map(|pod| ObservedPod::read(pod, key))
        .collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    let targets: Vec<_> = pods.iter().filter_map(|pod| pod.target.clone()).collect();
    let mut samples = sampler.observe(key, &targets).await;
    for pod in &mut pods {
        if let Some(sample) = pod.target.as_ref().and_then(|target| samples.remove(target)) {
            pod.sample = sample;
        }
    }
    let stateful_sets = stateful_sets
        .iter()
        .filter(|set| owner(set.meta(), uid) == Owner::This)
        .map(|set| (**set).clone());
    let consistency = digests::compare_pods(sampler, &pods).await;
    Observed {
        served: children
            .get(&(ChildKind::Service, names::shared(&key.name)))
            .and_then(plan::served),
        records: records(&children),
        children,
        has_leftovers,
        stateful_sets: stateful_sets.collect(),
        pods,
        consistency,
        obstacles: BTreeMap::new(),
    }
}

impl Observed {
    /// The pods of one revision.
    pub fn pods_of(&self, revision: &crds::Revision) -> impl Iterator<Item = &ObservedPod> {
        self.pods.iter().filter(move |pod| pod.revision == *revision)
    }

    /// The samples of one revision's pods that answered.
    pub fn answers_of(&self, revision: &crds::Revision) -> impl Iterator<Item = &crds::pod::Status> {
        self.pods_of(revision).map(|pod| &pod.sample).filter_map(Sample::answer)
    }
}

fn of<K>(store: &Store<K>, key: &Key) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store.state_filter(|object| {
        object.namespace().as_deref() == Some(key.namespace.as_str())
            && object
                .labels()
                .get(names::LABEL_INDEXER)
                .is_some_and(|name| *name == key.name)
    })
}

/// Sorts out who owns these objects. Returns whether an earlier Indexer owns one of them. One that nobody owns, as
/// `kubectl delete --cascade=orphan` leaves it, is adopted by applying.
fn collect<K: Resource + Serialize>(
    children: &mut BTreeMap<(ChildKind, String), Value>,
    kind: ChildKind,
    objects: &[Arc<K>],
    uid: &str,
) -> bool {
    let mut has_leftovers = false;
    for object in objects {
        match owner(object.meta(), uid) {
            // Types of the API turn into JSON without exception; one that did not would be applied anew, not lost.
            Owner::This => {
                if let Ok(body) = serde_json::to_value(&**object) {
                    children.insert((kind, object.name_any()), body);
                }
            }
            Owner::Another => has_leftovers = true,
            Owner::Nobody => {}
        }
    }
    has_leftovers
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The Indexer with the id asked for.
    This,
    /// Something else.
    Another,
    /// It carries no owner reference.
    Nobody,
}

/// Whose an object is, seen from the Indexer with this unique id.
#[must_use]
pub fn owner(meta: &ObjectMeta, uid: &str) -> Owner {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    if owners.iter().any(|owner| owner.uid == uid) {
        Owner::This
    } else if owners.is_empty() {
        Owner::Nobody
    } else {
        Owner::Another
    }
}
