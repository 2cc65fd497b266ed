//! (I/O) Wiring: client, scopes, admin server, and the order in which they shut down.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use futures::future::join_all;
use kube::{Config, client::ClientBuilder, runtime::events::Reporter};
use tokio::{net::TcpListener, signal, task::JoinHandle};
use tokio_util::sync::CancellationToken;

mod scope;
mod turn;
mod watches;

use crate::{
    admin::{self, Readiness},
    args::RunArgs,
    election::Gate,
    installation::operator,
    metrics::{CountWrites, Metrics},
    names,
    objects::CALL_TIMEOUT,
    pod_client::PodClient,
    reconcile::Pauses,
    telemetry,
    validate::Defaults,
};
pub use scope::{Shared, run_scope};
use turn::turn;

/// So long passes may continue after a signal: a little longer than the longest call of one. The chart's grace period is
/// longer still. What is cut off is done by the next process: an operator may be killed at any point.
pub const DRAIN_MAX: Duration = CALL_TIMEOUT.saturating_add(Duration::from_secs(5));

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// If the connection to the API server is not configured, the admin port is in use, or a Lease that was held is lost. A
/// server that does not answer is not an error: the operator waits for it.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let RunArgs {
        namespaces,
        operator_class,
        installation,
        indexer_image,
        plain_http_registries,
        lease,
        pod_name,
        pod_defaults,
        network_policy,
        listen,
        concurrency,
        max_rollouts,
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

    let api_server = api_server().await.context("locate the Kubernetes API server")?;
    let defaults = Defaults {
        image: indexer_image,
        plain_http_registries,
        pods: pod_defaults,
        access: network_policy,
    };
    let installation = format!("{}/{installation}", api_server.default_namespace);
    let operator = operator(installation, operator_class, &defaults);
    let metrics = Metrics::new()?;
    let readiness = Readiness::new(scopes.len());
    let admin = admin_server(listen, metrics.clone(), readiness.clone(), &stop).await?;
    let Some(turn) = stop
        .run_until_cancelled(turn(lease, &pod_name, &api_server, &readiness))
        .await
    else {
        return ended(admin, stop_on_signal).await;
    };
    let mut turn = turn?;
    metrics.leads();

    let client = ClientBuilder::try_from(api_server)?
        .with_layer(&Gate(turn.leadership.clone()))
        .with_layer(&CountWrites(metrics.clone()))
        .build();
    let shared = Shared {
        client,
        pods: PodClient::new().context("set up the HTTP client for pods")?,
        reporter: Reporter::from(names::MANAGER),
        metrics,
        readiness,
        operator,
        defaults,
        pauses: Pauses::default(),
        concurrency,
        max_rollouts,
        stop: stop.clone(),
    };
    let all = join_all(scopes.into_iter().map(|scope| run_scope(scope, shared.clone())));
    tokio::select! {
        biased;
        // Whatever runs is dropped here and now, and the process ends: the next one begins with nothing of this reign.
        lost = turn.lost() => return Err(lost).context("stop leading"),
        drained = within_drain(all, &stop) => match drained {
            Some(_) => turn.release().await,
            // What was sent may still arrive. So the Lease is left to expire.
            None => tracing::warn!("a pass did not end in time; the next process does what is left"),
        }
    }
    ended(admin, stop_on_signal).await
}

/// Serves the operator's own endpoints until the signal to stop.
async fn admin_server(
    listen: SocketAddr,
    metrics: Metrics,
    readiness: Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<io::Result<()>>> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let served = axum::serve(listener, admin::router(metrics, readiness));
    let stopped = stop.clone().cancelled_owned();
    Ok(tokio::spawn(served.with_graceful_shutdown(stopped).into_future()))
}

/// Waits for what ends by itself once the signal came.
async fn ended(
    admin: JoinHandle<io::Result<()>>,
    stop_on_signal: JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    admin.await.context("serve the admin port")??;
    stop_on_signal.await.context("wait for a signal")?
}

/// Waits for an end that is to come [`DRAIN_MAX`] after the signal to stop at the latest. None: it did not.
async fn within_drain<T>(ends: impl Future<Output = T>, stop: &CancellationToken) -> Option<T> {
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        biased;
        ended = ends => Some(ended),
        () = overdue => None,
    }
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

/// How to reach the API server, with every answer given to the caller. The library's own clients send a call again that
/// was answered with 429, up to 15 times; an eviction that a budget forbids is answered so for minutes, and a pass has a
/// pause of its own.
async fn api_server() -> anyhow::Result<Config> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_hangs_does_not_outlast_the_drain() {
        let (start, stop) = (Instant::now(), CancellationToken::new());
        assert_eq!(within_drain(async { 7 }, &stop).await, Some(7));
        stop.cancel();
        assert_eq!(within_drain(std::future::pending::<()>(), &stop).await, None);
        assert_eq!(start.elapsed(), DRAIN_MAX);
    }

    #[test]
    fn the_grace_period_of_the_chart_covers_the_drain_and_the_drain_one_call() {
        let chart = include_str!("../../charts/shrewd/templates/deployment.yaml");
        let grace = chart
            .lines()
            .find_map(|line| line.trim().strip_prefix("terminationGracePeriodSeconds: "));
        let grace: u64 = grace.unwrap().parse().unwrap();
        assert!(DRAIN_MAX > CALL_TIMEOUT);
        assert!(Duration::from_secs(grace) > DRAIN_MAX, "{grace} s");
    }
}
