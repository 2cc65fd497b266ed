//! An idle Indexer causes no writes.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use anyhow::{Result, ensure};
use crds::Indexer;
use e2e::{events, manifest::Manifest, namespace::Namespace, node::Node, trial::in_namespace, wait};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::ListParams;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// For how long nothing may be written.
const SILENCE: Duration = Duration::from_secs(180);
/// How late the last figures of a synchronisation may be written.
const SETTLING: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_synced_and_idle_indexer_is_left_alone_for_three_minutes() -> Result<()> {
    in_namespace("quiet", async |namespace| {
        let _node = Node::start(namespace, 60).await?;
        let index = Manifest::of("leaky").on_threshold("128Mi").apply(namespace).await?;
        index.follows_to(60).await?;

        let mut seen = versions(namespace).await?;
        let mut silent_since = Instant::now();
        wait::until("three minutes without a write", SETTLING + SILENCE, async || {
            let now = versions(namespace).await?;
            let changed = changes(&seen, &now);
            if !changed.is_empty() {
                (seen, silent_since) = (now, Instant::now());
            }
            let silence = silent_since.elapsed();
            ensure!(
                silence >= SILENCE,
                "silent for {silence:?}; the last change was to {changed:?}"
            );
            Ok(())
        })
        .await
    })
    .await
}

/// The versions of everything the operator writes in the namespace. What others write, such as the kubelet after a slow
/// probe on a busy machine, is left out.
async fn versions(namespace: &Namespace) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let version = |meta: &ObjectMeta| meta.resource_version.clone();
    // The status of these is not the operator's.
    let spec = |meta: &ObjectMeta| Some(format!("{:?} {:?}", meta.uid, meta.generation));
    add::<Indexer>(namespace, &ListParams::default(), version, &mut all).await?;
    let ours = ListParams::default().labels("shrewd.dev/indexer=leaky");
    add::<StatefulSet>(namespace, &ours, spec, &mut all).await?;
    add::<Pod>(namespace, &ours, spec, &mut all).await?;
    add::<PodDisruptionBudget>(namespace, &ours, spec, &mut all).await?;
    add::<NetworkPolicy>(namespace, &ours, version, &mut all).await?;
    add::<ConfigMap>(namespace, &ours, version, &mut all).await?;
    // Of claims it writes the size, which it does not here, and annotations.
    let annotations = |meta: &ObjectMeta| Some(format!("{:?}", meta.annotations));
    add::<PersistentVolumeClaim>(namespace, &ours, annotations, &mut all).await?;
    add::<Service>(namespace, &ours, version, &mut all).await?;
    add::<ServiceAccount>(namespace, &ours, version, &mut all).await?;
    for event in events::of_the_operator(namespace).await? {
        let name = format!("Event/{}", event.metadata.name.clone().unwrap_or_default());
        all.insert(name, event.metadata.resource_version.clone().unwrap_or_default());
    }
    ensure!(all.len() >= 8, "too few objects to speak of silence: {all:?}");
    Ok(all)
}

async fn add<K>(
    namespace: &Namespace,
    which: &ListParams,
    version: impl Fn(&ObjectMeta) -> Option<String>,
    all: &mut BTreeMap<String, String>,
) -> Result<()>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    for object in namespace.api::<K>().list(which).await? {
        let meta = object.meta();
        let name = format!("{}/{}", K::kind(&()), meta.name.clone().unwrap_or_default());
        all.insert(name, version(meta).unwrap_or_default());
    }
    Ok(())
}

fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name));
    names.cloned().collect()
}
