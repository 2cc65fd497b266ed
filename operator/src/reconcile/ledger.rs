//! What this process remembers of each Indexer beyond its objects and status. Losing it costs nothing but time: an event
//! that is published twice, a request that is sent again.

use super::{
    comparisons::Comparisons, evictions::Evictions, grown::Grown, holdings::Holdings, notices::Notices, pace::Pace,
    pauses::Pauses, peaks::Peaks, raising::Raising, recorders::Recorders, requests::Requests, resizing::Resizing,
    staleness::Staleness, turns::Turns,
};
use crate::objects::Key;

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    pub(super) notices: Notices,
    pub(super) grown: Grown,
    pub(super) holdings: Holdings,
    pub(super) comparisons: Comparisons,
    pub(super) evictions: Evictions,
    pub(super) pace: Pace,
    pub(super) peaks: Peaks,
    pub(super) raising: Raising,
    pub(super) recorders: Recorders,
    pub(super) requests: Requests,
    pub(super) resizing: Resizing,
    pub(super) snapshot_requests: Requests,
    pub(super) staleness: Staleness,
    pub(super) turns: Turns,
}

impl Ledger {
    /// One that is empty.
    #[must_use]
    pub fn new(pauses: &Pauses) -> Self {
        Self {
            notices: Notices::default(),
            grown: Grown::default(),
            holdings: Holdings::default(),
            comparisons: Comparisons::default(),
            evictions: Evictions::default(),
            pace: Pace::default(),
            peaks: Peaks::default(),
            raising: Raising::new(pauses.raise),
            recorders: Recorders::default(),
            requests: Requests::default(),
            resizing: Resizing::default(),
            snapshot_requests: Requests::default(),
            staleness: Staleness::default(),
            turns: Turns::default(),
        }
    }

    /// Drops what is known of an Indexer that is gone.
    pub fn forget(&self, key: &Key) {
        self.let_go(key);
        self.notices.forget(key);
        self.holdings.forget(key);
    }

    /// Drops what is known of an Indexer that is left alone, but for that.
    pub(super) fn let_go(&self, key: &Key) {
        self.grown.forget(key);
        self.comparisons.forget(key);
        self.evictions.forget(key);
        self.pace.forget(key);
        self.peaks.forget(key);
        self.raising.forget(key);
        self.requests.forget(key);
        self.resizing.forget(key);
        self.snapshot_requests.forget(key);
        self.staleness.forget(key);
        self.turns.forget(key);
    }
}
