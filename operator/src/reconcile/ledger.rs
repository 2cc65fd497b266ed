//! What this process remembers of each Indexer beyond its objects and status. Losing it costs nothing but time: an event
//! that is told twice, a request that is sent again.

use super::{evictions::Evictions, notices::Notices, staleness::Staleness};
use crate::objects::Key;

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) notices: Notices,
    pub(super) evictions: Evictions,
    pub(super) staleness: Staleness,
}

impl Ledger {
    /// Drops what is known of an Indexer that is gone.
    pub fn forget(&self, key: &Key) {
        self.notices.forget(key);
        self.evictions.forget(key);
        self.staleness.forget(key);
    }
}
