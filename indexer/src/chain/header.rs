//! Headers that follow each other.

use bitcoin::{BlockHash, Target, block::Header};
use crds::Network;

use super::{error::Error, network::params};

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
