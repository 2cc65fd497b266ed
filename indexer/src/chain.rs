//! The chain as the indexer sees it: heights, blocks by reference, and what must hold for a header and a block.

mod block;
mod difficulty;
mod error;
mod header;
mod height;
mod network;
mod transactions;
mod work;

pub use self::{
    block::{Block, check_block},
    difficulty::{Claim, Difficulty, Rules},
    error::Error,
    header::{Link, check_headers},
    height::{BlockRef, Height},
    network::{genesis, params},
    transactions::Malformed,
    work::Work,
};

#[cfg(test)]
mod tests;
