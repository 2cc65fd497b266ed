//! (I/O) Wiring: client, watches, one controller for each scope, sampler, admin server, and the order in which they end.

use std::{future::ready, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::{Stream, StreamExt, future::join_all, stream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Pod, Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    runtime::{
        Controller, Predicate, PredicateConfig, WatchStreamExt,
        controller::{self, Error as ControllerError},
        events::{Recorder, Reporter},
        predicates,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::{net::TcpListener, signal, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Readiness},
    apply::CALL_TIMEOUT,
    args::RunArgs,
    metrics::Metrics,
    names,
    observe::Stores,
    reconcile::{self, Context, History, Watched},
    sampler::{Key, Sampler},
    telemetry,
    validate::Defaults,
};

/// Wake-ups that wait. One that finds no room is sent again after the pod's next sample.
const WAKE_QUEUE: usize = 1024;
/// Between two looks for the custom resource definition.
const CRD_POLL: Duration = Duration::from_secs(2);

/// What every scope shares.
#[derive(Clone)]
struct Shared {
    client: Client,
    recorder: Recorder,
    metrics: Metrics,
    readiness: Readiness,
    defaults: Defaults,
    concurrency: u16,
    stop: CancellationToken,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// If the way to the API server is not configured or the admin port is taken. A server that does not answer is no
/// error: it is waited for.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let RunArgs {
        namespaces,
        indexer_image,
        plain_http_registries,
        listen,
        concurrency,
        log_format,
        log,
    } = args;
    telemetry::start(log_format, &log)?;
    let stop = CancellationToken::new();
    let stop_on_signal = tokio::spawn(signalled(stop.clone()));
    let scopes: Vec<Option<String>> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.into_iter().map(Some).collect()
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?scopes, indexer_image, "starting");

    let client = Client::try_default().await.context("find the Kubernetes API server")?;
    let metrics = Metrics::new()?;
    let readiness = Readiness::new(scopes.len());
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let router = admin::router(metrics.clone(), readiness.clone());
    let admin = tokio::spawn(
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future(),
    );

    let recorder = Recorder::new(client.clone(), Reporter::from(names::MANAGER));
    let shared = Shared {
        client,
        recorder,
        metrics,
        readiness,
        defaults: Defaults {
            image: indexer_image,
            plain_http_registries,
        },
        concurrency,
        stop,
    };
    join_all(scopes.into_iter().map(|scope| run_scope(scope, shared.clone()))).await;
    admin.await.context("serve the admin port")??;
    stop_on_signal.await.context("wait for a signal")?
}

async fn signalled(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = signal::ctrl_c() => interrupted?,
    }
    tracing::info!("stopping: running passes end first");
    stop.cancel();
    Ok(())
}

/// One namespace, or all of them. Each has caches, queue and sampler of its own, because a cache takes one watch.
async fn run_scope(scope: Option<String>, shared: Shared) {
    if shared
        .stop
        .run_until_cancelled(crd_served(scope.as_deref(), &shared.client))
        .await
        .is_none()
    {
        return;
    }
    let (wake, woken) = mpsc::channel(WAKE_QUEUE);
    let sampler = match Sampler::new(wake, shared.metrics.clone()) {
        Ok(sampler) => Arc::new(sampler),
        Err(error) => {
            tracing::error!(%error, "the HTTP client cannot be made");
            return shared.stop.cancel();
        }
    };
    let (controller, stores) = controller(scope.as_deref(), &shared, woken);
    let context = Arc::new(Context {
        client: shared.client.clone(),
        stores,
        sampler: Arc::clone(&sampler),
        recorder: shared.recorder.clone(),
        metrics: shared.metrics.clone(),
        defaults: shared.defaults.clone(),
        history: History::default(),
    });
    let first_lists = announce_ready(Arc::clone(&context), shared.readiness.clone());
    let passes = controller
        .run(reconcile::reconcile, reconcile::error_policy, Arc::clone(&context))
        .for_each(|done| {
            log(done, &context);
            ready(())
        });
    tokio::join!(
        passes,
        sampler.run(shared.stop.clone()),
        shared.stop.run_until_cancelled(first_lists)
    );
}

/// Waits until Indexers can be listed, so that the charts may be installed in any order.
async fn crd_served(scope: Option<&str>, client: &Client) {
    let indexers: Api<Watched> = api(client, scope);
    let mut told = false;
    loop {
        let listed = tokio::time::timeout(CALL_TIMEOUT, indexers.list(&ListParams::default().limit(1))).await;
        let error = match listed {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if !told {
            tracing::warn!(
                error,
                "cannot list Indexers; waiting for the custom resource definition and the right to"
            );
            told = true;
        }
        tokio::time::sleep(CRD_POLL).await;
    }
}

async fn announce_ready(context: Arc<Context>, readiness: Readiness) {
    if context.stores.wait_until_ready().await.is_ok() {
        readiness.scope_ready();
        tracing::info!("ready");
    }
}

/// The controller of one scope and the caches it fills.
fn controller(scope: Option<&str>, shared: &Shared, woken: mpsc::Receiver<Key>) -> (Controller<Watched>, Stores) {
    let (client, stop) = (&shared.client, shared.stop.clone());
    // Writing a status changes neither generation nor annotations, so it wakes nobody.
    let changes = predicates::generation.combine(predicates::annotations);
    let (indexers, writer) = reflector::store();
    let main = watcher(api::<Watched>(client, scope), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(changes, PredicateConfig::default());
    let (stateful_sets, on_sets) = owned::<StatefulSet>(client, scope);
    let (config_maps, on_maps) = owned::<ConfigMap>(client, scope);
    let (services, on_services) = owned::<Service>(client, scope);
    let (service_accounts, on_accounts) = owned::<ServiceAccount>(client, scope);
    let (budgets, on_budgets) = owned::<PodDisruptionBudget>(client, scope);
    let (pods, on_pods) = owned::<Pod>(client, scope);
    let controller = Controller::for_stream(main, indexers)
        .owns_stream(on_sets)
        .owns_stream(on_maps)
        .owns_stream(on_services)
        .owns_stream(on_accounts)
        .owns_stream(on_budgets)
        // A pod is owned by its StatefulSet; its labels name the Indexer.
        .watches_stream(on_pods, |pod: Pod| indexer_of(&pod))
        .reconcile_on(wake_ups(woken))
        .with_config(controller::Config::default().concurrency(shared.concurrency))
        .graceful_shutdown_on(stop.cancelled_owned());
    (
        controller,
        Stores {
            stateful_sets,
            pods,
            config_maps,
            services,
            service_accounts,
            budgets,
        },
    )
}

/// A cache of the objects this operator manages, and their changes.
fn owned<K>(client: &Client, scope: Option<&str>) -> (Store<K>, impl Stream<Item = watcher::Result<K>> + use<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let managed = watcher::Config::default().labels(&format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGER));
    let changes = watcher(api::<K>(client, scope), managed)
        .default_backoff()
        // Half of an object in bytes, and nobody reads it.
        .modify(|object: &mut K| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .touched_objects();
    (store, changes)
}

fn indexer_of(pod: &Pod) -> Option<ObjectRef<Watched>> {
    let name = pod.labels().get(names::LABEL_INDEXER)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

fn wake_ups(woken: mpsc::Receiver<Key>) -> impl Stream<Item = ObjectRef<Watched>> {
    stream::unfold(
        woken,
        |mut woken| async move { woken.recv().await.map(|key| (key, woken)) },
    )
    .map(|key| ObjectRef::new(&key.name).within(&key.namespace))
}

fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Logs a pass that failed, and cleans up after an Indexer that is gone.
fn log<T>(done: Result<T, ControllerError<reconcile::Error, watcher::Error>>, context: &Context) {
    match done {
        Ok(_) => {}
        Err(ControllerError::ObjectNotFound(gone)) => {
            let key = Key {
                namespace: gone.namespace.unwrap_or_default(),
                name: gone.name,
            };
            context.sampler.forget(&key);
            context.history.forget(&key);
        }
        Err(ControllerError::ReconcilerFailed(error, of)) => {
            let indexer = format!("{}/{}", of.namespace.unwrap_or_default(), of.name);
            tracing::warn!(
                indexer,
                error = format!("{:#}", anyhow::Error::new(error)),
                "a pass failed"
            );
        }
        Err(error) => tracing::warn!(
            error = format!("{:#}", anyhow::Error::new(error)),
            "a watch failed; it is started anew"
        ),
    }
}
