//! Short hashes of what is planned.

use sha2::{Digest, Sha256};

/// Sixteen hex digits, enough to tell one object's versions apart.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}
