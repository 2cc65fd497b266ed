//! A disk that is full: what is indexed is served, and indexing waits.

use std::{io, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{fault::Fault, rows::DiskSpace, telemetry::report::Report};

/// Pause between two looks at the disk: one call of the system each.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Shows what failed, and waits until there is room again, unless it is time to stop.
pub(crate) async fn wait_for_room(
    fault: &Fault,
    space: impl Fn() -> io::Result<DiskSpace>,
    report: &Report,
    stop: &CancellationToken,
) {
    tracing::error!(error = %fault, "the disk is full: waiting for room");
    report.in_trouble(fault);
    while !space().is_ok_and(|space| space.has_again()) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    tracing::info!("there is room on the disk again");
}
