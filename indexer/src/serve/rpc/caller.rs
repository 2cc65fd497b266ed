//! Who sends an HTTP request, and under which conditions.

use std::time::Instant;

use jsonrpsee_types::error::ErrorObjectOwned;

use super::{
    codes::{NOT_AVAILABLE, error},
    index::ReadAt,
};
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

impl Caller {
    /// Whether an answer that was to be of the tip was read at as new a block as is wanted. The tip was high enough when
    /// the request began; blocks may have been undone since.
    ///
    /// # Errors
    /// -32001.
    pub(super) fn check(&self, is_of_tip: bool, at: ReadAt) -> Result<(), ErrorObjectOwned> {
        match self.min_height.filter(|min| is_of_tip && at.height < *min) {
            None => Ok(()),
            Some(min_height) => Err(error(
                NOT_AVAILABLE,
                format!(
                    "blocks were undone: the tip is {} again, below the wanted {min_height}",
                    at.height
                ),
            )),
        }
    }
}
