//! Short hashes of what is planned.

use sha2::{Digest, Sha256};

/// Sixteen hex digits, enough to distinguish the versions of one object.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}
