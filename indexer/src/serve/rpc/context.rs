//! What methods are answered with; shared by all requests.

use std::sync::Arc;

use jsonrpsee_types::error::ErrorObjectOwned;

use super::{
    codes::{NOT_AVAILABLE, error},
    index::Index,
    views::Views,
};
use crate::{chain::BlockRef, guest::Budget};

/// The index, and who may run views on it.
pub(super) struct Context<I> {
    pub(super) index: Arc<I>,
    pub(super) views: Views<I>,
    /// For guests, requests and answers together.
    pub(super) budget: Budget,
}

impl<I: Index> Context<I> {
    /// The last block indexed.
    ///
    /// # Errors
    /// -32001 when there is none yet.
    pub(super) fn indexed(&self) -> Result<BlockRef, ErrorObjectOwned> {
        let tip = self.index.tip();
        tip.ok_or_else(|| error(NOT_AVAILABLE, "nothing is indexed yet"))
    }
}
