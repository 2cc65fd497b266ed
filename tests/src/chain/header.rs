//! The header of a block that is made.

use bitcoin::{
    Block, Transaction, TxMerkleNode,
    block::{Header, Version},
    hashes::Hash,
};

/// Seconds between blocks: far in the past, as the genesis block is, and never in a node's future.
const SPACING_SECS: u32 = 600;

/// Regtest's target is met by every second hash.
pub(crate) fn mined(parent: &Header, txdata: Vec<Transaction>) -> Block {
    let header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: parent.block_hash(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: parent.time + SPACING_SECS,
        bits: parent.bits,
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap_or_else(TxMerkleNode::all_zeros);
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}
