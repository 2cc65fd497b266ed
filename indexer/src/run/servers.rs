//! The two HTTP servers of a process, and the signals that end it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use crds::Phase;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    control::Control,
    serve::listener::{self, Limits},
    telemetry::report::Report,
};

/// Serves until `closing` is cancelled, then finishes open requests.
///
/// # Errors
/// When the address cannot be listened on.
pub(super) async fn serve(
    what: &'static str,
    listen: &str,
    router: Router,
    limits: Limits,
    closing: &CancellationToken,
) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen for {what} on {listen}"))?;
    Ok(tokio::spawn(listener::serve(listener, router, limits, closing.clone())))
}

/// Stops the process on SIGTERM and SIGINT.
///
/// # Errors
/// When the signals cannot be received.
pub(super) fn stop_on_signal(control: &Arc<Control>, report: &Arc<Report>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (control, report) = (control.clone(), report.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop: finishing what is under way");
        report.update(|status| status.phase = Phase::Stopping);
        control.stop();
    });
    Ok(())
}
