//! A whole block, checked against its hash.

use bitcoin::BlockHash;
use bytes::Bytes;
use crds::Network;

use super::{
    error::Error,
    height::{BlockRef, Height},
    transactions::HashedBlock,
};

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

/// Checks that these bytes are exactly the block of that hash, witnesses included.
///
/// # Errors
/// [`Error::Decode`], [`Error::WrongBlock`], [`Error::MerkleRoot`] or [`Error::Witness`].
pub fn check_block(bytes: Bytes, at: BlockRef, network: Network) -> Result<Block, Error> {
    let block = HashedBlock::new(&bytes).map_err(|source| Error::Decode { what: "block", source })?;
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
