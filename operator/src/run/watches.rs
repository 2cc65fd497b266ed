//! (I/O) What one scope watches: the Indexers, the objects made for them, and their pods.

use std::{future::ready, sync::Arc};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Controller, WatchStreamExt, controller,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    facts::strip,
    metrics::Metrics,
    names,
    objects::{Key, WATCH_SECONDS},
    observe::Stores,
    reconcile::{History, Watched},
};

/// Objects of one answer when a watch lists: as JSON a pod has 10 to 20 KiB, and while a page is read it is there twice.
const PAGE: u32 = 100;

/// The controller of one scope and the caches it fills.
pub(super) fn controller(
    scope: Option<&str>,
    client: &Client,
    concurrency: u16,
    woken: mpsc::Receiver<Key>,
    history: Arc<History>,
    metrics: &Metrics,
    stop: CancellationToken,
) -> (Controller<Watched>, Stores) {
    let (indexers, writer) = reflector::store();
    let main = watcher(api::<Watched>(client, scope), lively())
        .default_backoff()
        .modify(without_managed_fields)
        .reflect(writer)
        .applied_objects()
        // Errors pass: the controller logs them.
        .filter(move |brought| ready(brought.as_ref().map_or(true, |watched| history.is_news(watched))));
    let (stateful_sets, on_sets) = owned::<StatefulSet>(client, scope);
    let (config_maps, on_maps) = owned::<ConfigMap>(client, scope);
    let (services, on_services) = owned::<Service>(client, scope);
    let (service_accounts, on_accounts) = owned::<ServiceAccount>(client, scope);
    let (network_policies, on_policies) = owned::<NetworkPolicy>(client, scope);
    let (budgets, on_budgets) = owned::<PodDisruptionBudget>(client, scope);
    let (pods, on_pods) = labelled::<Pod>(client, scope, names::LABEL_INDEXER, strip);
    let (claims, on_claims) =
        labelled::<PersistentVolumeClaim>(client, scope, names::LABEL_INDEXER, without_managed_fields);
    let controller = Controller::for_stream(counted(main, metrics, itself), indexers)
        .owns_stream(counted(on_sets, metrics, owner_of))
        .owns_stream(counted(on_maps, metrics, owner_of))
        .owns_stream(counted(on_services, metrics, owner_of))
        .owns_stream(counted(on_accounts, metrics, owner_of))
        .owns_stream(counted(on_policies, metrics, owner_of))
        .owns_stream(counted(on_budgets, metrics, owner_of))
        // A pod is owned by its StatefulSet; its labels name the Indexer.
        .watches_stream(counted(on_pods, metrics, indexer_of), |pod: Pod| indexer_of(&pod))
        // A claim that is kept has no owner at all.
        .watches_stream(
            counted(on_claims, metrics, indexer_of),
            |claim: PersistentVolumeClaim| indexer_of(&claim),
        )
        .reconcile_on(wake_ups(woken, metrics.clone()))
        .with_config(controller::Config::default().concurrency(concurrency))
        .graceful_shutdown_on(stop.cancelled_owned());
    (
        controller,
        Stores {
            stateful_sets,
            pods,
            config_maps,
            services,
            service_accounts,
            network_policies,
            budgets,
            claims,
        },
    )
}

/// A watch that went silent is noticed within [`WATCH_SILENT_MAX`](crate::objects::WATCH_SILENT_MAX).
fn lively() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
}

/// A cache of the objects this operator manages, and their changes.
fn owned<K>(client: &Client, scope: Option<&str>) -> (Store<K>, impl Stream<Item = watcher::Result<K>> + use<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let managed = format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGER);
    labelled(client, scope, &managed, without_managed_fields)
}

/// Half of an object's bytes, and never read.
fn without_managed_fields(object: &mut impl Resource) {
    object.meta_mut().managed_fields = None;
}

/// A cache of the objects that a label selector matches, without what `strip` drops, and their changes.
fn labelled<K>(
    client: &Client,
    scope: Option<&str>,
    labels: &str,
    strip: fn(&mut K),
) -> (Store<K>, impl Stream<Item = watcher::Result<K>> + use<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let changes = watcher(api::<K>(client, scope), lively().labels(labels))
        .default_backoff()
        .modify(strip)
        .reflect(writer)
        .touched_objects();
    (store, changes)
}

/// Notes for whom a pass is due, in the way in which the controller finds that out.
fn counted<K, C, W>(changes: C, metrics: &Metrics, whose: W) -> impl Stream<Item = watcher::Result<K>> + use<K, C, W>
where
    C: Stream<Item = watcher::Result<K>>,
    W: Fn(&K) -> Option<ObjectRef<Watched>>,
{
    let metrics = metrics.clone();
    changes.inspect_ok(move |object| {
        if let Some(whose) = whose(object) {
            metrics.wanted(key_of(whose));
        }
    })
}

fn itself(watched: &Watched) -> Option<ObjectRef<Watched>> {
    Some(ObjectRef::from_obj(watched))
}

fn owner_of(owned: &impl ResourceExt) -> Option<ObjectRef<Watched>> {
    let namespace = owned.namespace();
    let owners = owned.owner_references().iter();
    let mut indexers = owners.filter_map(|owner| ObjectRef::from_owner_ref(namespace.as_deref(), owner, ()));
    indexers.next()
}

fn key_of(of: ObjectRef<Watched>) -> Key {
    Key {
        namespace: of.namespace.unwrap_or_default(),
        name: of.name,
    }
}

fn indexer_of(labelled: &impl ResourceExt) -> Option<ObjectRef<Watched>> {
    let name = labelled.labels().get(names::LABEL_INDEXER)?;
    Some(ObjectRef::new(name).within(&labelled.namespace()?))
}

fn wake_ups(woken: mpsc::Receiver<Key>, metrics: Metrics) -> impl Stream<Item = ObjectRef<Watched>> {
    stream::unfold(
        woken,
        |mut woken| async move { woken.recv().await.map(|key| (key, woken)) },
    )
    .map(move |key| {
        let due = ObjectRef::new(&key.name).within(&key.namespace);
        metrics.wanted(key);
        due
    })
}

/// The API for objects of one namespace, or of all of them.
pub(super) fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
