//! What a snapshot is: written as JSON beside its files, and judged before any of them is fetched.

use std::collections::BTreeSet;

use bitcoin::BlockHash;
use crds::{Identity, IdentityDifference, Network, Revision, STORE_FORMAT};
use serde::{Deserialize, Serialize};

use super::sha256::Sha256;
use crate::{
    chain::{BlockRef, Height},
    state::Digest,
    store::{Lineage, Tip, is_file_name},
};

/// The format of manifests that this version writes, and reads.
const FORMAT: u32 = 1;
/// A file takes some 130 bytes of it.
pub const MANIFEST_BYTES_MAX: usize = 32 << 20;
/// More than an index of many terabytes has.
const FILES_MAX: usize = 200_000;
/// What a file system takes.
const NAME_BYTES_MAX: usize = 255;
/// What is shown of a name that is none.
const SHOWN_CHARS_MAX: usize = 80;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The format of the store that its files make.
    pub store_format: u32,
    /// The modules that built it.
    pub lineage: Lineage,
    /// Its newest block, and the digest of the index after it.
    pub tip: Tip,
    /// Its files by name. No name is there twice; sizes add up to less than 2^64.
    pub files: Vec<File>,
    /// Which version wrote it.
    pub made_by: String,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the store's folder: a plain one.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Of all of it.
    pub sha256: Sha256,
}

/// A manifest as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    format: u32,
    store_format: u32,
    lineage: Lineage,
    height: Height,
    block_hash: String,
    digest: String,
    files: Vec<File>,
    made_by: String,
}

/// What all formats of manifests have.
#[derive(Deserialize)]
struct Any {
    format: u32,
}

/// Why bytes are no manifest of a snapshot.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Malformed {
    /// It cannot be held.
    #[error("it has more than {MANIFEST_BYTES_MAX} bytes")]
    TooLong,
    /// Of no format at all.
    #[error("it is no manifest")]
    NoJson(#[source] serde_json::Error),
    /// Of a later version.
    #[error("its format is {found}, this version reads {FORMAT}: use the version that made it, or a later one")]
    Format { found: u32 },
    /// A hash that is none.
    #[error("its {0} is none")]
    Hash(&'static str),
    /// It begins above its end.
    #[error("it ends at block {height}, below the first block of its index, {start}")]
    BelowStart { height: Height, start: Height },
    /// It is too large to be one.
    #[error("it has {0} files, more than {FILES_MAX}")]
    TooManyFiles(usize),
    /// A file that could be put elsewhere.
    #[error("a file has the name {0:?}, which no file of a store has")]
    FileName(String),
    /// Two files in one place.
    #[error("two files have the name {0}")]
    Twice(String),
    /// Sizes that cannot be.
    #[error("its files are too large to be any")]
    TooLarge,
}

/// Which snapshot is wanted. What is none may be any.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What the index is to be.
    pub identity: Option<Identity>,
    /// Its module alone, by SHA-256.
    pub module_sha256: Option<String>,
    /// Its network alone.
    pub network: Option<Network>,
}

/// Why a snapshot is not the one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Refusal {
    /// Its files make a store that this version does not read.
    #[error("its store has format {found}, this version reads {STORE_FORMAT}: use the version that made it")]
    StoreFormat { found: u32 },
    /// Another index.
    #[error("its {} is {}, not {}", .0.field, .0.found, .0.wanted)]
    Field(Box<IdentityDifference>),
    /// Of another module.
    #[error("its module is {found}, not {wanted}")]
    Module { found: String, wanted: String },
    /// Of another chain.
    #[error("its network is {found}, not {wanted}")]
    Network { found: Network, wanted: Network },
}

impl Manifest {
    /// Of a copy whose files were hashed.
    #[must_use]
    pub fn new(lineage: Lineage, tip: Tip, mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            store_format: STORE_FORMAT,
            lineage,
            tip,
            files,
            made_by: concat!("shrewd-indexer ", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// The JSON of it: the same bytes for the same manifest.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            format: FORMAT,
            store_format: self.store_format,
            lineage: self.lineage.clone(),
            height: self.tip.at.height,
            block_hash: self.tip.at.hash.to_string(),
            digest: self.tip.digest.to_string(),
            files: self.files.clone(),
            made_by: self.made_by.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&written).expect("strings and numbers can be written as JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads one that may come from anywhere.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        // First the format alone: another one may have other fields.
        let Any { format } = serde_json::from_slice(bytes).map_err(Malformed::NoJson)?;
        if format != FORMAT {
            return Err(Malformed::Format { found: format });
        }
        let written: Written = serde_json::from_slice(bytes).map_err(Malformed::NoJson)?;
        let hash: BlockHash = written.block_hash.parse().map_err(|_| Malformed::Hash("block hash"))?;
        let digest: Sha256 = written.digest.parse().map_err(|_| Malformed::Hash("digest"))?;
        let (height, start) = (written.height, written.lineage.start());
        if height < start {
            return Err(Malformed::BelowStart { height, start });
        }
        check(&written.files)?;
        Ok(Self {
            store_format: written.store_format,
            lineage: written.lineage,
            tip: Tip {
                at: BlockRef { height, hash },
                digest: Digest(digest.0),
            },
            files: written.files,
            made_by: written.made_by,
        })
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// What the index was at its newest block.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.lineage.newest().revision()
    }

    /// Whether it is the one that is wanted, and this version can use it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&self, wanted: &Wanted) -> Result<(), Refusal> {
        let found = self.lineage.newest();
        if self.store_format != STORE_FORMAT {
            let found = self.store_format;
            return Err(Refusal::StoreFormat { found });
        }
        if let Some(network) = wanted.network
            && network != found.network
        {
            return Err(Refusal::Network {
                found: found.network,
                wanted: network,
            });
        }
        if let Some(identity) = &wanted.identity
            && let Some(other) = found.differs_beyond_module(identity)
        {
            return Err(Refusal::Field(Box::new(other)));
        }
        let of_identity = wanted.identity.as_ref().map(|identity| &identity.module_sha256);
        for module in of_identity.into_iter().chain(&wanted.module_sha256) {
            if *module != found.module_sha256 {
                return Err(Refusal::Module {
                    found: found.module_sha256.clone(),
                    wanted: module.clone(),
                });
            }
        }
        Ok(())
    }
}

fn check(files: &[File]) -> Result<(), Malformed> {
    if files.len() > FILES_MAX {
        return Err(Malformed::TooManyFiles(files.len()));
    }
    let mut names = BTreeSet::new();
    let mut bytes = 0_u64;
    for file in files {
        let name = file.name.as_str();
        if name.len() > NAME_BYTES_MAX || !is_file_name(name.as_bytes()) {
            return Err(Malformed::FileName(name.chars().take(SHOWN_CHARS_MAX).collect()));
        }
        if !names.insert(name) {
            return Err(Malformed::Twice(name.into()));
        }
        bytes = bytes.checked_add(file.bytes).ok_or(Malformed::TooLarge)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "manifest/tests.rs"]
mod tests;
