//! What queries are answered from, and the shape of what comes back.

use std::time::Instant;

use bitcoin::BlockHash;
use bytes::Bytes;

use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{Budget, CancelFlag, ViewAnswer, ViewError},
    state::Digest,
};

/// What queries are answered from. Every method may be called from many threads at once.
pub trait Index: Send + Sync + 'static {
    /// Why no query can be answered now, in words for the client; none: they can.
    fn unavailable(&self) -> Option<String>;

    /// The last block indexed. From memory: does not wait.
    fn tip(&self) -> Option<BlockRef>;

    /// The block indexed at a height; none above the tip and below the first one.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read.
    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault>;

    /// Whether the module exports a view of this name. From memory: does not wait.
    fn has_view(&self, function: &str) -> bool;

    /// Runs a view on the state at a height; without one, or above the tip, at the tip. The tip, the state and the
    /// block it was read at are of one moment. Blocks the calling thread until the terms' deadline at the latest, less
    /// if they are cancelled.
    ///
    /// # Errors
    /// [`ViewError`]; whose fault it was decides the code the client sees.
    fn view(
        &self,
        function: &str,
        height: Option<Height>,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError>;

    /// Applies a block on top of `parent`, visible to this call alone, then runs a view at the height of that block.
    /// Without a parent, or with one above the tip, on top of the tip. Otherwise like [`Self::view`]; the deadline is
    /// that of both runs together, and the block it was read at is the parent.
    ///
    /// # Errors
    /// As [`Self::view`].
    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError>;

    /// The value of a key as of a height, or the tip as in [`Self::view`]; none if it was not written by then. It is
    /// charged to the terms' budget.
    ///
    /// # Errors
    /// [`ViewError::Limit`], [`ViewError::Host`].
    fn get(&self, key: &[u8], height: Option<Height>, terms: &Terms<'_>) -> Result<Read<Option<Written>>, ViewError>;

    /// A page of the keys with a prefix and their values, otherwise as [`Self::get`].
    ///
    /// # Errors
    /// [`ViewError::Limit`], [`ViewError::Host`]; [`ViewError::Deadline`] when not even one key was come to in time.
    fn scan(&self, range: &Range, height: Option<Height>, terms: &Terms<'_>) -> Result<Read<Page>, ViewError>;

    /// How much there is.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read.
    fn sizes(&self) -> Result<Sizes, Fault>;
}

/// A block of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedBlock {
    /// Its hash.
    pub hash: BlockHash,
    /// Digest of the index with it.
    pub digest: Digest,
}

/// How much an index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Keys with their versions, or a close estimate.
    pub entries: u64,
    /// Bytes on disk.
    pub bytes_on_disk: u64,
    /// Blocks from the first one to the tip.
    pub blocks: u64,
}

/// A value of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The key.
    pub key: Bytes,
    /// The height at which the value was written.
    pub height: Height,
    /// The value.
    pub value: Bytes,
}

/// Keys a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// What they begin with.
    pub prefix: Bytes,
    /// The key they come after, which begins with the prefix and need not be there; none: from the first one on.
    pub after: Option<Bytes>,
    /// How many at most. One page may hold fewer.
    pub limit: usize,
}

/// Keys that were found, shorter ones first, those of one length in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys with their values.
    pub entries: Vec<Written>,
    /// The key to go on after; none: there are no more.
    pub after: Option<Bytes>,
}

/// What was read, and at what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// What was found.
    pub found: T,
    /// The newest block that could be seen.
    pub at: ReadAt,
}

/// What a view may use.
pub struct Terms<'a> {
    /// When it is stopped.
    pub deadline: Instant,
    /// Stops it earlier.
    pub cancel: &'a CancelFlag,
    /// Where its memory and that of its answer come from.
    pub budget: &'a Budget,
}

/// A view's answer, and what it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: ViewAnswer,
    /// The newest block it could see.
    pub at: ReadAt,
}

/// A state of the index that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAt {
    /// Its height.
    pub height: Height,
    /// The block there; none below the first block of the index.
    pub hash: Option<BlockHash>,
}

impl From<BlockRef> for ReadAt {
    fn from(block: BlockRef) -> Self {
        Self {
            height: block.height,
            hash: Some(block.hash),
        }
    }
}
