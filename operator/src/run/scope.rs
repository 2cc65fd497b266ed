//! (I/O) One scope: a namespace, or all of them. Each has caches, a queue and a sampler of its own, because a cache
//! takes one watch.

use std::{future::ready, sync::Arc, time::Duration};

use crds::OperatorStatus;
use futures::StreamExt;
use kube::{
    Api, Client,
    api::ListParams,
    runtime::{controller::Error as ControllerError, events::Reporter, watcher},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::watches::{api, controller, watch_failed};
use crate::{
    admin::Readiness,
    apply::Class,
    metrics::Metrics,
    objects::{CALL_TIMEOUT, Key},
    observe::{Listing, listing},
    pod_client::PodClient,
    reconcile::{self, Context, History, Ledger, Pauses, Watched},
    sampler::Sampler,
    validate::Defaults,
};

/// Maximum number of queued wake-ups. One that does not fit is sent again after the pod's next sample.
const WAKE_QUEUE: usize = 1024;
/// Interval of checks for the custom resource definition.
const CRD_POLL: Duration = Duration::from_secs(2);

/// What all scopes share.
#[derive(Clone)]
pub struct Shared {
    /// Reads and writes objects.
    pub client: Client,
    /// Sends requests to pods.
    pub pods: PodClient,
    /// In whose name events are published.
    pub reporter: Reporter,
    /// Counts.
    pub metrics: Metrics,
    /// Shows when every scope has its caches.
    pub readiness: Readiness,
    /// Who this process is.
    pub operator: OperatorStatus,
    /// What holds for every Indexer.
    pub defaults: Defaults,
    /// How long passes wait after one that did not get done.
    pub pauses: Pauses,
    /// Passes that run at the same time, at most.
    pub concurrency: u16,
    /// How many Indexers may have their index built again at the same time.
    pub max_rollouts: u16,
    /// Ends the scope, once its running passes have.
    pub stop: CancellationToken,
}

/// Looks after the Indexers of one namespace, or of all, until told to stop. Dropped, it ends at once, as when the process
/// is killed.
pub async fn run_scope(scope: Option<String>, shared: Shared) {
    if shared
        .stop
        .run_until_cancelled(crd_served(scope.as_deref(), &shared.client))
        .await
        .is_none()
    {
        return;
    }
    let (wake, woken) = mpsc::channel(WAKE_QUEUE);
    let sampler = Arc::new(Sampler::new(shared.pods.clone(), wake, shared.metrics.clone()));
    let history = Arc::new(History::default());
    let (controller, stores) = controller(
        scope.as_deref(),
        &shared.client,
        shared.concurrency,
        woken,
        Arc::clone(&history),
        &shared.metrics,
        shared.stop.clone(),
    );
    let (listing, listed) = listing();
    let context = Arc::new(Context {
        client: shared.client.clone(),
        stores,
        listed,
        sampler: Arc::clone(&sampler),
        pods: shared.pods.clone(),
        reporter: shared.reporter.clone(),
        metrics: shared.metrics.clone(),
        operator: shared.operator.clone(),
        defaults: shared.defaults.clone(),
        pauses: shared.pauses,
        max_rollouts: shared.max_rollouts,
        history,
        ledger: Ledger::new(&shared.pauses),
    });
    let first_lists = announce_ready(Arc::clone(&context), listing, shared.readiness.clone());
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
    let mut is_reported = false;
    loop {
        let listed = tokio::time::timeout(CALL_TIMEOUT, indexers.list(&ListParams::default().limit(1))).await;
        let error = match listed {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if !is_reported {
            tracing::warn!(
                error,
                "cannot list Indexers; waiting for the custom resource definition and for permission to list them"
            );
            is_reported = true;
        }
        tokio::time::sleep(CRD_POLL).await;
    }
}

async fn announce_ready(context: Arc<Context>, listing: Listing, readiness: Readiness) {
    if context.stores.wait_until_ready().await.is_ok() {
        listing.announce();
        readiness.scope_ready();
        tracing::info!("ready");
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
            context.metrics.gone(&key);
            context.sampler.forget(&key);
            context.history.forget(&key);
            context.ledger.forget(&key);
        }
        Err(ControllerError::ReconcilerFailed(error, of)) if error.class() == Class::LookAgain => {
            tracing::debug!(indexer = of.name, %error, "what a pass had decided on has changed");
        }
        Err(ControllerError::ReconcilerFailed(error, of)) if error.class() == Class::Gone => {
            tracing::debug!(indexer = of.name, %error, "the Indexer of a pass is gone, or goes with its namespace");
        }
        Err(ControllerError::ReconcilerFailed(error, of)) => {
            let indexer = format!("{}/{}", of.namespace.unwrap_or_default(), of.name);
            tracing::warn!(
                indexer,
                error = format!("{:#}", anyhow::Error::new(error)),
                "a pass failed"
            );
        }
        Err(error) => watch_failed(error),
    }
}
