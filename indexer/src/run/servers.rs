//! The two HTTP servers of a process, and the signals that end it.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use axum::Router;
use crds::Phase;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{control::Control, telemetry::report::Report};

/// Serves until `closing` is cancelled, then finishes open requests.
///
/// # Errors
/// When the address cannot be listened on.
pub(super) async fn serve(
    what: &'static str,
    listen: &str,
    router: Router,
    closing: &CancellationToken,
) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen for {what} on {listen}"))?;
    let closing = closing.clone();
    Ok(tokio::spawn(async move {
        let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
        if let Err(error) = server.with_graceful_shutdown(closing.cancelled_owned()).await {
            tracing::error!(what, %error, "server ended");
        }
    }))
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
