//! Headers that follow each other.

use bitcoin::{BlockHash, block::Header};

use super::{
    difficulty::{Claim, Difficulty},
    error::Error,
    height::BlockRef,
    work::Work,
};

/// A block by position and hash, and the work that its header proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which block.
    pub at: BlockRef,
    /// Its own work, without that of the blocks before it.
    pub work: Work,
}

/// Checks that headers follow `prev` one after the other, that each has the difficulty the network's rules demand of
/// it, and the work to match. `difficulty` is that of the chain up to `prev`, and afterwards up to the last header.
///
/// # Errors
/// [`Error::Linkage`], [`Error::ProofOfWork`] or [`Error::Difficulty`] of the first header that fails.
pub fn check_headers(headers: &[Header], prev: BlockHash, difficulty: &mut Difficulty) -> Result<Vec<Link>, Error> {
    let easiest = difficulty.rules().easiest();
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
            if target > easiest || !target.is_met_by(hash) {
                return Err(Error::ProofOfWork { hash });
            }
            difficulty
                .follow(Claim::from(header))
                .map_err(|required| Error::Difficulty {
                    hash,
                    found: header.bits.to_consensus(),
                    required: required.to_consensus(),
                })?;
            wanted = hash;
            let height = difficulty.height();
            Ok(Link {
                at: BlockRef { height, hash },
                work: Work::of(header.bits),
            })
        })
        .collect()
}
