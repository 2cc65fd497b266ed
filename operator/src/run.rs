//! (I/O) Wiring: client, scopes, admin server, and the order in which they shut down.

use anyhow::Context as _;
use futures::future::join_all;
use kube::{
    Client,
    runtime::events::{Recorder, Reporter},
};
use tokio::{net::TcpListener, signal};
use tokio_util::sync::CancellationToken;

mod scope;
mod watches;

use crate::{
    admin::{self, Readiness},
    args::RunArgs,
    metrics::Metrics,
    names,
    pod_client::PodClient,
    telemetry,
    validate::Defaults,
};
use scope::{Shared, run_scope};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// If the connection to the API server is not configured or the admin port is in use. A server that does not answer is
/// not an error: the operator waits for it.
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

    let client = Client::try_default()
        .await
        .context("locate the Kubernetes API server")?;
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
        pods: PodClient::new().context("set up the HTTP client for pods")?,
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
    tracing::info!("shutting down once running passes have finished");
    stop.cancel();
    Ok(())
}
