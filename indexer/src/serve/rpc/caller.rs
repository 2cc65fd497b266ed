//! Who sends an HTTP request, and under which conditions.

use std::time::Instant;

use crate::{chain::Height, serve::client::Client};

/// How long a batch may take, in timeouts of a view. Clients that batch at all wait about a minute for an answer, and
/// the default timeout is ten seconds.
pub(super) const BATCH_TIMEOUTS: u32 = 6;

/// Who calls, until when, and what the client knows already.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) client: Client,
    /// When all entries of its batch must be answered.
    pub(super) deadline: Instant,
    /// What the index had reached when the request began.
    pub(super) min_height: Option<Height>,
}
