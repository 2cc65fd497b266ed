//! The identity of an index: what two indexes must share to have the same content.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::network::Network;

/// Everything the content of an index depends on, apart from the chain itself.
///
/// The memory limit is part of it because a guest can observe a refused `memory.grow` and act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Identity {
    /// SHA-256 of the module, 64 lowercase hex digits.
    pub module_sha256: String,
    /// The network indexed.
    pub network: Network,
    /// Height of the first block fed to the guest.
    pub start_height: u32,
    /// The most linear memory a guest may have, in bytes.
    pub memory_limit_bytes: u64,
}

/// An identity as stores, records and configurations have it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    module_sha256: String,
    network: Network,
    start_height: u32,
    memory_limit_bytes: u64,
    /// The constant that is hashed. Programs of version 0.1 demand it.
    #[serde(default = "hashed_format")]
    store_format: u32,
}

/// What is hashed in the place where the format of the store once was: it is part of every revision there is.
const HASHED_FORMAT: u32 = 1;

fn hashed_format() -> u32 {
    HASHED_FORMAT
}

/// An identity of a version that is not known.
#[derive(Debug, thiserror::Error)]
#[error("an identity with store format {0} is of another version of this program")]
struct UnknownVersion(u32);

impl TryFrom<Written> for Identity {
    type Error = UnknownVersion;

    fn try_from(written: Written) -> Result<Self, UnknownVersion> {
        let Written {
            module_sha256,
            network,
            start_height,
            memory_limit_bytes,
            store_format,
        } = written;
        if store_format != HASHED_FORMAT {
            return Err(UnknownVersion(store_format));
        }
        Ok(Self {
            module_sha256,
            network,
            start_height,
            memory_limit_bytes,
        })
    }
}

impl From<Identity> for Written {
    fn from(identity: Identity) -> Self {
        let Identity {
            module_sha256,
            network,
            start_height,
            memory_limit_bytes,
        } = identity;
        Self {
            module_sha256,
            network,
            start_height,
            memory_limit_bytes,
            store_format: HASHED_FORMAT,
        }
    }
}

/// A field, other than the module, in which two identities differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityDifference {
    /// Its path in the spec, or its name.
    pub field: &'static str,
    /// Its value in the identity that the data has.
    pub found: String,
    /// Its value in the identity that is declared.
    pub wanted: String,
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
        hasher.update(HASHED_FORMAT.to_be_bytes());
        hasher.finalize().into()
    }

    /// Why data of this identity cannot be continued by the module of `wanted`: the first field, other than the module,
    /// in which the two differ. None: only the module differs, or nothing does.
    #[must_use]
    pub fn differs_beyond_module(&self, wanted: &Self) -> Option<IdentityDifference> {
        // Both are taken apart field by field: a field that is added does not compile until it is decided on here.
        let Self {
            module_sha256: _,
            network,
            start_height,
            memory_limit_bytes,
        } = self;
        let Self {
            module_sha256: _,
            network: wanted_network,
            start_height: wanted_start_height,
            memory_limit_bytes: wanted_memory_limit_bytes,
        } = wanted;
        let bytes = |n: &u64| format!("{n} bytes");
        let fields = [
            ("chain.network", network.to_string(), wanted_network.to_string()),
            (
                "chain.startHeight",
                start_height.to_string(),
                wanted_start_height.to_string(),
            ),
            (
                "memory.limit",
                bytes(memory_limit_bytes),
                bytes(wanted_memory_limit_bytes),
            ),
        ];
        let differing = fields.into_iter().find(|(_, found, wanted)| found != wanted)?;
        let (field, found, wanted) = differing;
        Some(IdentityDifference { field, found, wanted })
    }

    /// The first 40 bits of [`Self::hash`]. Two of the few revisions of one resource collide with odds below 10^-10.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(hex::encode(&self.hash()[..5]))
    }

    /// The name of data of this identity that is built beside data in a format that cannot be read any more, which has the
    /// name of [`Self::revision`] or of an earlier format.
    #[must_use]
    pub fn revision_in(&self, store_format: u32) -> Revision {
        let mut hasher = Sha256::new();
        hasher.update(b"shrewd revision by format v1\0");
        hasher.update(self.hash());
        hasher.update(store_format.to_be_bytes());
        Revision(hex::encode(&hasher.finalize()[..5]))
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
        }
    }

    #[test]
    fn a_revision_is_ten_lowercase_hex_digits() {
        let revision = identity().revision();
        assert_eq!(Revision::parse(&revision.to_string()), Some(revision));
        for text in ["", "0123456789", "abcdefabcd"] {
            assert_eq!(Revision::parse(text).map(|it| it.to_string()).unwrap_or_default(), text);
        }
        for text in [
            "012345678",
            "01234567890",
            "012345678g",
            "ABCDEFABCD",
            "012345678\u{e9}",
        ] {
            assert_eq!(Revision::parse(text), None, "{text}");
        }
    }

    #[test]
    fn revision_is_pinned() {
        // Object names and databases of running installations carry it: a change here orphans them all.
        assert_eq!(identity().revision().as_str(), "694048994a");
    }

    #[test]
    fn a_revision_of_a_format_is_pinned_and_has_a_name_of_its_own() {
        let names = [2, 3].map(|format| identity().revision_in(format).as_str().to_owned());
        assert_eq!(names, ["eb0b29d7a0", "5816b9e484"]);
    }

    /// One identity for each field, which differs from [`identity`] in that field only.
    fn others() -> [(&'static str, Identity); 4] {
        let base = identity();
        [
            (
                "module",
                Identity {
                    module_sha256: "cd".repeat(32),
                    ..base.clone()
                },
            ),
            (
                "chain.network",
                Identity {
                    network: Network::Mainnet,
                    ..base.clone()
                },
            ),
            (
                "chain.startHeight",
                Identity {
                    start_height: 1,
                    ..base.clone()
                },
            ),
            (
                "memory.limit",
                Identity {
                    memory_limit_bytes: 1 << 30,
                    ..base
                },
            ),
        ]
    }

    #[test]
    fn identities_of_version_0_1_are_read_and_written() {
        let text = format!(
            r#"{{"moduleSha256":"{}","network":"regtest","startHeight":0,"memoryLimitBytes":4294967296,"storeFormat":1}}"#,
            "ab".repeat(32)
        );
        assert_eq!(serde_json::to_string(&identity()).unwrap(), text);
        let read = |text: &str| serde_json::from_str::<Identity>(text);
        assert_eq!(read(&text).unwrap(), identity());
        assert_eq!(read(&text.replace(r#","storeFormat":1"#, "")).unwrap(), identity());
        for other in [r#""storeFormat":2"#, r#""unknown":1"#] {
            read(&text.replace(r#""storeFormat":1"#, other)).unwrap_err();
        }
    }

    #[test]
    fn every_field_counts() {
        for (field, other) in others() {
            assert_ne!(other.revision(), identity().revision(), "{field}");
        }
    }

    #[test]
    fn every_field_but_the_module_keeps_data_from_being_continued() {
        assert_eq!(identity().differs_beyond_module(&identity()), None);
        for (field, other) in others() {
            let difference = identity().differs_beyond_module(&other);
            let expected = Some(field).filter(|field| *field != "module");
            assert_eq!(difference.map(|difference| difference.field), expected, "{field}");
        }
        let (_, limit) = &others()[3];
        let difference = identity().differs_beyond_module(limit).unwrap();
        assert_eq!(
            (difference.found.as_str(), difference.wanted.as_str()),
            ("4294967296 bytes", "1073741824 bytes")
        );
    }
}
