//! The chain as the indexer sees it: heights, blocks by reference, and what must hold for a header and a block.

mod block;
mod error;
mod header;
mod height;
mod network;
mod transactions;

pub use self::{
    block::{Block, check_block},
    error::Error,
    header::check_headers,
    height::{BlockRef, Height},
    network::{genesis, params},
    transactions::Malformed,
};

#[cfg(test)]
mod tests;
