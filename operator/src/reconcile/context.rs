//! What all passes share.

use std::sync::Arc;

use crds::OperatorStatus;
use kube::{Client, runtime::events::Reporter};

use super::{history::History, ledger::Ledger, pauses::Pauses};
use crate::{
    metrics::Metrics,
    observe::{Listed, Stores},
    pod_client::PodClient,
    sampler::Sampler,
    validate::Defaults,
};

/// What all passes share.
pub struct Context {
    /// Writes to the API server.
    pub client: Client,
    /// Reads from it.
    pub stores: Stores,
    /// Whether they were filled once. Before that, a pass would take objects not listed yet for missing.
    pub listed: Listed,
    /// Polls pods.
    pub sampler: Arc<Sampler>,
    /// Sends single requests to pods.
    pub pods: PodClient,
    /// Who this process is, as the status of what it looks after says it.
    pub operator: OperatorStatus,
    /// In whose name events are published.
    pub reporter: Reporter,
    /// Counts.
    pub metrics: Metrics,
    /// What holds for every Indexer.
    pub defaults: Defaults,
    /// How long passes wait after one that did not get done.
    pub pauses: Pauses,
    /// How many Indexers may have their index built again at the same time.
    pub max_rollouts: u16,
    /// What earlier passes remembered.
    pub history: Arc<History>,
    /// What else this process remembers.
    pub ledger: Ledger,
}
