//! (I/O) Observation: the objects of one Indexer from the watch caches, and the reports of its pods.

use std::collections::{BTreeMap, HashSet};

use crds::{IndexerStatus, Revision};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{Resource, ResourceExt, runtime::reflector::store::WriterDropped};
use serde::Serialize;
use serde_json::Value;

mod digests;
mod listed;
mod obstacles;

pub use listed::{Closed, Listed, Listing, listing};
pub use obstacles::obstacle;

use crate::{
    cache::Cache,
    facts::{Claim, Observed, ObservedPod, Ownership, Stranger, VolumeClaim},
    names,
    objects::{ChildKind, Key, Owner, Served, owner},
    pod_client::PodClient,
    record::{Record, records},
    sampler::Sampler,
};

/// The watch caches of one scope, each limited to the objects this operator manages.
#[derive(Clone)]
pub struct Stores {
    /// Stateful sets; marked are those that [`is_rebuilding`].
    pub stateful_sets: Cache<StatefulSet>,
    /// Pods.
    pub pods: Cache<Pod>,
    /// Configurations.
    pub config_maps: Cache<ConfigMap>,
    /// Services.
    pub services: Cache<Service>,
    /// Service accounts.
    pub service_accounts: Cache<ServiceAccount>,
    /// Network policies.
    pub network_policies: Cache<NetworkPolicy>,
    /// Disruption budgets.
    pub budgets: Cache<PodDisruptionBudget>,
    /// Claims for the volumes of pods.
    pub claims: Cache<PersistentVolumeClaim>,
}

impl Stores {
    /// Waits until every cache has been filled once. For one task alone: see [`Listed`].
    ///
    /// # Errors
    /// If a watch has ended, which happens at shutdown only.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.stateful_sets.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.services.wait_until_ready().await?;
        self.service_accounts.wait_until_ready().await?;
        self.network_policies.wait_until_ready().await?;
        self.budgets.wait_until_ready().await?;
        self.claims.wait_until_ready().await
    }
}

/// Whether a set is of an Indexer whose index is being built again because this version does not read its data.
#[must_use]
pub fn is_rebuilding(set: &StatefulSet) -> bool {
    let revision = set.labels().get(names::LABEL_REVISION);
    let record = set.annotations().get(names::ANNOTATION_RECORD);
    let (revision, record) = (
        revision.and_then(|r| Revision::parse(r)),
        record.and_then(|r| Record::parse(r)),
    );
    revision
        .zip(record)
        .is_some_and(|(revision, record)| record.is_rebuilding(&revision))
}

/// The Indexers of which a set [`is_rebuilding`].
#[must_use]
pub fn rebuilding(stores: &Stores) -> HashSet<Key> {
    stores.stateful_sets.marked()
}

/// Gathers what there is of one Indexer. `uid` is that of the resource: what an earlier one of the same name left
/// behind is not its own. `last_status` names the pods that were.
pub async fn observe(
    stores: &Stores,
    sampler: &Sampler,
    client: &PodClient,
    key: &Key,
    uid: &str,
    max_behind: u32,
    last_status: Option<&IndexerStatus>,
) -> Observed {
    let stateful_sets = stores.stateful_sets.of(key);
    let mut owned = Owned::new(key, uid);
    owned.collect(ChildKind::ServiceAccount, &stores.service_accounts.of(key));
    owned.collect(ChildKind::ConfigMap, &stores.config_maps.of(key));
    owned.collect(ChildKind::Service, &stores.services.of(key));
    owned.collect(ChildKind::NetworkPolicy, &stores.network_policies.of(key));
    owned.collect(ChildKind::PodDisruptionBudget, &stores.budgets.of(key));
    owned.collect(ChildKind::StatefulSet, &stateful_sets);
    let Owned {
        children, leftovers, ..
    } = owned;
    let records = records(&children);
    let claims = stores.claims.of(key);
    let mut claims: Vec<VolumeClaim> = claims.iter().filter_map(VolumeClaim::read).collect();
    claims.sort_by(|a, b| a.name.cmp(&b.name));
    let ownership = Ownership::new(stateful_sets.iter(), key, uid, last_status);
    let stamped = claims
        .iter()
        .filter(|claim| claim.record().is_some())
        .map(|claim| &claim.revision);
    let ownership = ownership.awaiting(&key.name, records.keys().chain(stamped));
    let (mut pods, strangers) = sort_out(&stores.pods.of(key), &ownership, key);
    let targets: Vec<_> = pods.iter().filter_map(|pod| pod.target.clone()).collect();
    let mut samples = sampler.observe(key, &targets, max_behind).await;
    for pod in &mut pods {
        if let Some(sample) = pod.target.as_ref().and_then(|target| samples.remove(target)) {
            pod.sample = sample;
        }
    }
    let stateful_sets = stateful_sets
        .into_iter()
        .filter(|set| owner(set.meta(), key, uid) == Owner::This);
    let consistency = digests::compare_pods(client, &pods).await;
    Observed {
        served: children
            .get(&(ChildKind::Service, names::shared(&key.name)))
            .and_then(Served::read),
        records,
        children,
        leftovers,
        stateful_sets: stateful_sets.collect(),
        pods,
        strangers,
        claims,
        consistency,
    }
}

/// The Indexer's pods and those that only carry its labels, each by name.
fn sort_out(found: &[Pod], ownership: &Ownership, key: &Key) -> (Vec<ObservedPod>, Vec<Stranger>) {
    let (mut pods, mut strangers) = (Vec::new(), Vec::new());
    for pod in found {
        match ownership.claim(pod, &key.name) {
            Claim::Ours => pods.extend(ObservedPod::read(pod, key)),
            Claim::Undecided => {}
            Claim::Stranger => strangers.push(Stranger {
                name: pod.name_any(),
                uid: pod.uid().unwrap_or_default(),
            }),
        }
    }
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    strangers.sort_by(|a, b| a.name.cmp(&b.name));
    (pods, strangers)
}

/// The objects that carry the labels of one Indexer, sorted by their owner.
struct Owned<'a> {
    key: &'a Key,
    uid: &'a str,
    children: BTreeMap<(ChildKind, String), Value>,
    leftovers: Vec<String>,
}

impl<'a> Owned<'a> {
    fn new(key: &'a Key, uid: &'a str) -> Self {
        Self {
            key,
            uid,
            children: BTreeMap::new(),
            leftovers: Vec::new(),
        }
    }

    /// Adds objects of one kind. One without an owner, as `kubectl delete --cascade=orphan` leaves it, is adopted by
    /// applying. One of a stranger is not in the way, whatever its labels say: if it has a name that is planned,
    /// applying refuses it and names it.
    fn collect<K: Resource + Serialize>(&mut self, kind: ChildKind, objects: &[K]) {
        for object in objects {
            match owner(object.meta(), self.key, self.uid) {
                // Types of the API turn into JSON without exception; one that did not would be applied anew, not lost.
                Owner::This => {
                    if let Ok(body) = serde_json::to_value(object) {
                        self.children.insert((kind, object.name_any()), body);
                    }
                }
                Owner::Predecessor => {
                    let name = object.name_any();
                    self.leftovers.push(format!("{} {name}", kind.api_resource().kind));
                }
                Owner::Another | Owner::Unowned => {}
            }
        }
    }
}
