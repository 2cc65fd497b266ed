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
        reflector::{self, ObjectRef},
        watcher,
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    cache::{Cache, Kind, cache},
    facts::strip,
    metrics::Metrics,
    names,
    objects::{Key, WATCH_SECONDS},
    observe::{Stores, is_rebuilding},
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
    let watches = Watches { client, scope, metrics };
    let (stateful_sets, on_sets) = watches.owned::<StatefulSet>(is_rebuilding);
    let (config_maps, on_maps) = watches.owned::<ConfigMap>(never);
    let (services, on_services) = watches.owned::<Service>(never);
    let (service_accounts, on_accounts) = watches.owned::<ServiceAccount>(never);
    let (network_policies, on_policies) = watches.owned::<NetworkPolicy>(never);
    let (budgets, on_budgets) = watches.owned::<PodDisruptionBudget>(never);
    let (pods, on_pods) = watches.labelled::<Pod>(strip);
    let (claims, on_claims) = watches.labelled::<PersistentVolumeClaim>(without_managed_fields);
    let controller = Controller::for_stream(counted(main, metrics), indexers)
        .reconcile_on(on_sets)
        .reconcile_on(on_maps)
        .reconcile_on(on_services)
        .reconcile_on(on_accounts)
        .reconcile_on(on_policies)
        .reconcile_on(on_budgets)
        .reconcile_on(on_pods)
        .reconcile_on(on_claims)
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

/// Half of an object's bytes, and never read.
fn without_managed_fields(object: &mut impl Resource) {
    object.meta_mut().managed_fields = None;
}

fn never<K>(_: &K) -> bool {
    false
}

/// How to watch one kind of object after another.
struct Watches<'a> {
    client: &'a Client,
    scope: Option<&'a str>,
    metrics: &'a Metrics,
}

impl Watches<'_> {
    /// A cache of the objects this operator manages, and for whom a change of one calls for a pass.
    fn owned<K: Watchable>(&self, mark: fn(&K) -> bool) -> (Cache<K>, impl Stream<Item = ObjectRef<Watched>> + use<K>) {
        let managed = format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGER);
        self.cached(&managed, without_managed_fields, mark, owner_of)
    }

    /// The same for what an Indexer does not own. A pod is owned by its `StatefulSet`, and a claim that is kept by nobody;
    /// their labels name the Indexer. The cache has nothing of what `strip` drops.
    fn labelled<K: Watchable>(&self, strip: fn(&mut K)) -> (Cache<K>, impl Stream<Item = ObjectRef<Watched>> + use<K>) {
        self.cached(names::LABEL_INDEXER, strip, never, indexer_of)
    }

    fn cached<K: Watchable>(
        &self,
        labels: &str,
        strip: fn(&mut K),
        mark: fn(&K) -> bool,
        whose: fn(&K) -> Option<ObjectRef<Watched>>,
    ) -> (Cache<K>, impl Stream<Item = ObjectRef<Watched>> + use<K>) {
        let (cache, mut writer) = cache(mark);
        let metrics = self.metrics.clone();
        let due = watcher(api::<K>(self.client, self.scope), lively().labels(labels))
            .default_backoff()
            .modify(strip)
            .filter_map(move |said| {
                // Into the cache first: a pass that is called for reads it there.
                let about = match said {
                    Ok(event) => writer.write(event),
                    Err(error) => {
                        watch_failed(error);
                        None
                    }
                };
                ready(about.as_ref().and_then(whose))
            })
            .inspect(move |due| metrics.wanted(key_of(due.clone())));
        (cache, due)
    }
}

/// What can be watched and kept.
trait Watchable: Kind + Resource<Scope = NamespaceResourceScope> + std::fmt::Debug + Send + Sync {}

impl<K: Kind + Resource<Scope = NamespaceResourceScope> + std::fmt::Debug + Send + Sync> Watchable for K {}

/// Logs that a watch failed: it begins again by itself, after a pause.
pub(super) fn watch_failed(error: impl std::error::Error + Send + Sync + 'static) {
    let error = format!("{:#}", anyhow::Error::new(error));
    tracing::warn!(error, "a watch failed and is being restarted");
}

/// Notes for whom a pass is due, in the way in which the controller finds that out.
fn counted<C>(changes: C, metrics: &Metrics) -> impl Stream<Item = watcher::Result<Watched>> + use<C>
where
    C: Stream<Item = watcher::Result<Watched>>,
{
    let metrics = metrics.clone();
    changes.inspect_ok(move |watched| metrics.wanted(Key::of(watched.meta())))
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
