//! What methods are answered with; shared by all requests.

use std::sync::Arc;

use super::views::Views;
use crate::guest::Budget;

/// The index, and who may run views on it.
pub(super) struct Context<I> {
    pub(super) index: Arc<I>,
    pub(super) views: Views<I>,
    /// For guests, requests and answers together.
    pub(super) budget: Budget,
}
