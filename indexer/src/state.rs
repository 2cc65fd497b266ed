//! What a guest reads and writes: reads as of a height, the pairs one block flushed, and the digest over all of them.

mod digest;
mod key_table;
mod merge;
mod order;
mod overlay;
mod write_set;

use std::sync::Arc;

use bytes::Bytes;

pub use self::{
    digest::{Digest, WriteHasher},
    merge::merged,
    order::row_order,
    overlay::Overlay,
    write_set::{Builder, Flushed, Pairs, WriteSet},
};
use crate::fault::Fault;

/// Read access to the index as of one height, fixed when it was made.
///
/// Guarantees: the same key gives the same answer for as long as the value lives, whatever is committed meanwhile.
pub trait State: Send {
    /// The value of a key, or none if it was never written at or below the height. An empty value counts as written;
    /// guests cannot tell the two apart.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read. The block or view that asked must fail: an error never becomes
    /// "absent".
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault>;
}

/// Reads an overlay first, then what lies below it.
pub struct Layered<S> {
    overlay: Arc<Overlay>,
    below: S,
}

impl<S: State> Layered<S> {
    /// `below` must hold every block older than the overlay's, and may hold some of the overlay's too.
    pub fn new(overlay: Arc<Overlay>, below: S) -> Self {
        Self { overlay, below }
    }
}

impl<S: State> State for Layered<S> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        match self.overlay.get(key) {
            Some(value) => Ok(Some(value)),
            None => self.below.get(key),
        }
    }
}
