//! What the second stage hands to the third.

use tokio::sync::OwnedSemaphorePermit;

use crate::{chain::BlockRef, state::WriteSet};

/// A block that was executed.
pub struct Executed {
    /// Which block.
    pub at: BlockRef,
    /// What it wrote.
    pub writes: WriteSet,
    /// Its share of the bytes that may wait; given back once it is committed.
    pub permit: OwnedSemaphorePermit,
}
