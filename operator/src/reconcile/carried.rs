//! What carrying out a decision came to.

use std::time::Duration;

use super::evictions::HeldBack;
use crate::{apply::Done, storage::Growth};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) done: Done,
    /// The pod that is to go next and is held back.
    pub(super) held_back: Option<HeldBack>,
    /// Pods that were asked for a refresh several times and have not carried it out.
    pub(super) overdue: Vec<String>,
    /// Why the pod that publishes does not take the request for a snapshot, though asked several times.
    pub(super) snapshot_refused: Option<String>,
    /// Revisions whose volumes were raised because a pod had too little room.
    pub(super) grown: Vec<Growth>,
    /// When to try again what was refused or not carried out.
    pub(super) again_after: Option<Duration>,
}
