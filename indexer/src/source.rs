//! Where blocks come from: what the pipeline needs of a chain source.

pub mod bitcoind;
pub mod block_files;
mod chain_info;
pub mod configured;
mod error;
#[cfg(test)]
mod fake;
mod http;
#[cfg(test)]
pub(crate) mod memory;
mod node;
mod rest;
mod rpc;

pub use error::{AddressError, Error};
pub use http::Login;

use std::future::Future;

use bitcoin::BlockHash;

use crate::chain::{Block, BlockRef, Height, Link};

/// A chain that can be followed. Everything it hands out is verified; the best chain is the source's own choice.
pub trait BlockSource: Send + Sync + 'static {
    /// The last block of the best chain.
    ///
    /// # Errors
    /// Besides those of every call: [`Error::WrongNetwork`], and [`Error::InitialSync`] while the node itself is still
    /// behind its network.
    fn tip(&self) -> impl Future<Output = Result<BlockRef, Error>> + Send;

    /// The block at a height of the best chain; none above the tip.
    ///
    /// # Errors
    /// When no node answers as it must.
    fn hash_at(&self, height: Height) -> impl Future<Output = Result<Option<BlockHash>, Error>> + Send;

    /// The blocks that follow `from` in the best chain, at most `max` (1 or more) of them, perhaps fewer than there
    /// are. From genesis, genesis included, when there is no `from`. Each follows the one before, has the difficulty
    /// that the rules of the network demand of it, and the work to match. Of the headers before them that the rules
    /// need, the first of the period is believed.
    ///
    /// # Errors
    /// When no node answers as it must.
    fn headers_after(&self, from: Option<BlockRef>, max: usize) -> impl Future<Output = Result<Headers, Error>> + Send;

    /// A block, in the best chain or not, whose bytes are those its hash commits to.
    ///
    /// # Errors
    /// Besides those of every call: [`Error::Pruned`].
    fn block(&self, at: BlockRef) -> impl Future<Output = Result<Block, Error>> + Send;
}

/// Answer to [`BlockSource::headers_after`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Headers {
    /// The next blocks in order. None: `from` is the tip.
    Next(Vec<Link>),
    /// `from` is not, or no longer, in the best chain.
    NotInChain,
}
