//! The chain as the indexer sees it: heights, blocks by reference, and what must hold for a header and a block.

mod transactions;

use std::fmt;

use bitcoin::{BlockHash, Target, block::Header, params::Params};
use bytes::Bytes;
use crds::Network;
use serde::{Deserialize, Serialize};

pub use self::transactions::Malformed;

/// Position of a block in the chain; the genesis block has height 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u32);

/// A block by position and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockRef {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
}

/// A block whose bytes are known to be those its hash commits to.
#[derive(Clone, Debug)]
pub struct Block {
    /// Which block.
    pub at: BlockRef,
    /// The block before it.
    pub prev: BlockHash,
    /// Its consensus encoding, as the guest sees it.
    pub bytes: Bytes,
}

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

impl Height {
    /// The next height.
    ///
    /// # Panics
    /// At 2^32 - 1, eighty thousand years of blocks from now.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The height before, if there is one.
    #[must_use]
    pub fn prev(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// How many blocks this height lies above another; 0 if it does not.
    #[must_use]
    pub fn above(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The consensus parameters of a network.
#[must_use]
pub fn params(network: Network) -> &'static Params {
    match network {
        Network::Mainnet => &Params::BITCOIN,
        Network::Testnet3 => &Params::TESTNET3,
        Network::Testnet4 => &Params::TESTNET4,
        Network::Signet => &Params::SIGNET,
        Network::Regtest => &Params::REGTEST,
    }
}

/// Hash of the network's first block, by which a node's network is told.
#[must_use]
pub fn genesis(network: Network) -> BlockHash {
    bitcoin::constants::genesis_block(params(network)).block_hash()
}

/// Checks that headers follow `prev` one after the other and carry the work they claim; gives their hashes.
///
/// # Errors
/// [`Error::Linkage`] or [`Error::ProofOfWork`] of the first header that does not.
pub fn check_headers(headers: &[Header], prev: BlockHash, network: Network) -> Result<Vec<BlockHash>, Error> {
    let easiest: Target = params(network).max_attainable_target;
    let mut wanted = prev;
    headers
        .iter()
        .map(|header| {
            let hash = header.block_hash();
            if header.prev_blockhash != wanted {
                return Err(Error::Linkage {
                    hash,
                    found: header.prev_blockhash,
                    wanted,
                });
            }
            let target = header.target();
            if target > easiest || header.validate_pow(target).is_err() {
                return Err(Error::ProofOfWork { hash });
            }
            wanted = hash;
            Ok(hash)
        })
        .collect()
}

/// Checks that these bytes are exactly the block of that hash, witnesses included.
///
/// # Errors
/// [`Error::Decode`], [`Error::WrongBlock`], [`Error::MerkleRoot`] or [`Error::Witness`].
pub fn check_block(bytes: Bytes, at: BlockRef, network: Network) -> Result<Block, Error> {
    let block = transactions::Read::new(&bytes).map_err(|source| Error::Decode { what: "block", source })?;
    let hash = block.hash();
    if hash != at.hash {
        return Err(Error::WrongBlock {
            found: hash,
            wanted: at.hash,
        });
    }
    if !block.transactions_match() {
        return Err(Error::MerkleRoot { hash });
    }
    if !block.witnesses_match(at.height >= first_with_witnesses(network)) {
        return Err(Error::Witness { hash });
    }
    Ok(Block {
        at,
        prev: block.header.prev_blockhash,
        bytes,
    })
}

/// From where BIP 141 is in force.
fn first_with_witnesses(network: Network) -> Height {
    Height(match network {
        Network::Mainnet => 481_824,
        Network::Testnet3 => 834_624,
        Network::Testnet4 | Network::Signet => 1,
        Network::Regtest => 0,
    })
}

#[cfg(test)]
mod tests;
