//! What the threads of a process share.

use std::sync::Arc;

use crds::pod::Config;

use crate::{
    control::{Control, snapshot_requests::SnapshotRequests},
    seed::serve::Copies,
    serve::serving::Serving,
    source::Login,
    telemetry::{metrics::Metrics, progress::Progress, report::Report},
};

/// What the threads of a process share.
pub(super) struct Process {
    pub(super) config: Config,
    /// The node's credentials, if they are not in files.
    pub(super) login: Option<Login>,
    /// See [`crate::cli::args::Launch::one_shot`].
    pub(super) one_shot: bool,
    pub(super) report: Arc<Report>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) control: Arc<Control>,
    pub(super) serving: Arc<Serving>,
    pub(super) copies: Arc<Copies>,
    /// To whoever publishes snapshots here; none: nobody does.
    pub(super) snapshot_requests: Option<Arc<SnapshotRequests>>,
    pub(super) progress: Arc<Progress>,
}
