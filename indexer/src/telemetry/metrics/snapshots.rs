//! Metrics of snapshots that are published.

use prometheus::{IntCounter, Registry};

use super::register::counter;

pub(super) struct SnapshotMetrics {
    pub(super) uploaded: IntCounter,
    pub(super) failures: IntCounter,
}

impl SnapshotMetrics {
    /// All of them, at zero.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            uploaded: counter(
                registry,
                "snapshot_bytes_uploaded_total",
                "Bytes of files that were uploaded for snapshots.",
            )?,
            failures: counter(
                registry,
                "snapshot_failures_total",
                "Tries to publish a snapshot that failed.",
            )?,
        })
    }
}
