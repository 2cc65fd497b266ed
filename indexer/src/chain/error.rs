//! What a header or a block can fail to satisfy.

use bitcoin::BlockHash;

use super::transactions::Malformed;

/// What a header or a block from a node fails to satisfy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be decoded.
    #[error("decode {what}")]
    Decode {
        /// What was being decoded.
        what: &'static str,
        /// The decoder's words.
        #[source]
        source: Malformed,
    },
    /// Its hash does not meet the target it claims, or the claim is easier than the network allows.
    #[error("header {hash} lacks proof of work")]
    ProofOfWork {
        /// Hash of the header.
        hash: BlockHash,
    },
    /// Its target is not the one that the network's rules set for it.
    #[error("header {hash} has the target {found:#010x}, and the network's rules demand {required:#010x}")]
    Difficulty {
        /// Hash of the header.
        hash: BlockHash,
        /// Its target, in the compact form of headers.
        found: u32,
        /// The target it must have.
        required: u32,
    },
    /// It does not follow the block it was said to follow.
    #[error("header {hash} follows {found}, not {wanted}")]
    Linkage {
        /// Hash of the header.
        hash: BlockHash,
        /// Its previous block.
        found: BlockHash,
        /// The previous block it should have.
        wanted: BlockHash,
    },
    /// Another block came than the one asked for.
    #[error("asked for block {wanted}, got {found}")]
    WrongBlock {
        /// Hash of what came.
        found: BlockHash,
        /// What was asked for.
        wanted: BlockHash,
    },
    /// Its transactions are not those the header commits to.
    #[error("transactions of block {hash} do not match its merkle root")]
    MerkleRoot {
        /// Hash of the block.
        hash: BlockHash,
    },
    /// Its witnesses were left out, or are not those the coinbase commits to.
    #[error("witnesses of block {hash} do not match its commitment")]
    Witness {
        /// Hash of the block.
        hash: BlockHash,
    },
}
