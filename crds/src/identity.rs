//! What makes two indexes the same index.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::spec::Network;

/// Version of the layout the indexer writes to disk. A new one is a new revision: the old store is not read by it.
pub const STORE_FORMAT: u32 = 1;

/// Everything the content of an index depends on, besides the chain itself.
///
/// The memory limit belongs to it because a guest can observe a refused `memory.grow` and act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// SHA-256 of the module, 64 lowercase hex digits.
    pub module_sha256: String,
    /// The network indexed.
    pub network: Network,
    /// Height of the first block fed to the guest.
    pub start_height: u32,
    /// The most linear memory a guest may have, in bytes.
    pub memory_limit_bytes: u64,
    /// [`STORE_FORMAT`] of the program that writes the store.
    pub store_format: u32,
}

/// The short name of an [`Identity`]: ten hex digits, used in object names, labels and the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Revision(String);

impl Identity {
    /// SHA-256 over a fixed, unambiguous encoding of every field. It seeds the digest chain of the index.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"shrewd identity v1\0");
        hasher.update(self.module_sha256.as_bytes());
        hasher.update([0]);
        hasher.update(self.network.as_str().as_bytes());
        hasher.update([0]);
        hasher.update(self.start_height.to_be_bytes());
        hasher.update(self.memory_limit_bytes.to_be_bytes());
        hasher.update(self.store_format.to_be_bytes());
        hasher.finalize().into()
    }

    /// The first 40 bits of [`Self::hash`]. Two of the few revisions of one resource collide with odds below 10^-10.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(hex::encode(&self.hash()[..5]))
    }
}

impl Revision {
    /// Reads a label's value; none if it is not ten lowercase hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 10 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The ten hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            module_sha256: "ab".repeat(32),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes: 4 << 30,
            store_format: 1,
        }
    }

    #[test]
    fn revision_is_pinned() {
        // Object names and databases of running installations carry it: a change here orphans them all.
        assert_eq!(identity().revision().as_str(), "694048994a");
    }

    #[test]
    fn every_field_counts() {
        let base = identity();
        let others = [
            Identity {
                module_sha256: "cd".repeat(32),
                ..base.clone()
            },
            Identity {
                network: Network::Mainnet,
                ..base.clone()
            },
            Identity {
                start_height: 1,
                ..base.clone()
            },
            Identity {
                memory_limit_bytes: 1 << 30,
                ..base.clone()
            },
            Identity {
                store_format: 2,
                ..base.clone()
            },
        ];
        for other in others {
            assert_ne!(other.revision(), base.revision(), "{other:?}");
        }
    }
}
