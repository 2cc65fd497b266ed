//! What all stages share: the settings of the index, its store, and where they report.

use std::sync::Arc;

use crds::{Identity, RefreshPolicy, pod::Config};

use crate::{
    chain::Height,
    control::Control,
    store::Store,
    telemetry::{metrics::Metrics, progress::Progress, report::Report},
};

/// The settings of the pipeline, which never change while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the index is.
    pub identity: Identity,
    /// When the guest is refreshed.
    pub refresh: RefreshPolicy,
    /// See [`crds::pod::Config::threshold_bytes`].
    pub threshold_bytes: u64,
    /// See [`crds::pod::Config::audit_every`].
    pub audit_every: u32,
    /// How often a block the guest failed is run again.
    pub retry_attempts: u32,
    /// Blocks this close to the tip are made durable one by one.
    pub max_behind: u32,
    /// Bytes of write sets that are kept in memory once they are committed.
    pub kept_bytes: u64,
    /// Blocks above it are not indexed.
    pub stop_height: Option<Height>,
    /// Stop before this height.
    pub exit_at: Option<Height>,
    /// What cannot heal by itself, a lasting failure of the chain source or a full disk, ends the pipeline instead of
    /// being waited out.
    pub is_one_shot: bool,
}

impl Settings {
    /// Blocks from this height on are not indexed.
    #[must_use]
    pub fn end(&self) -> Option<Height> {
        let stop = self.stop_height.map(Height::next);
        self.exit_at.into_iter().chain(stop).min()
    }
}

/// Everything the stages share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The database.
    pub store: Store,
    /// The process's status.
    pub report: Arc<Report>,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    /// Requests to it: to stop, to refresh.
    pub control: Arc<Control>,
    /// Its progress bar and progress lines.
    pub progress: Arc<Progress>,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            identity: config.identity.clone(),
            refresh: config.refresh,
            audit_every: config.audit_every,
            threshold_bytes: config.threshold_bytes,
            retry_attempts: config.retry_attempts,
            max_behind: config.max_behind,
            kept_bytes: 0,
            stop_height: config.stop_height.map(Height),
            exit_at: config.exit_at.map(Height),
            is_one_shot: false,
        }
    }
}
