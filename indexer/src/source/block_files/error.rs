//! How block files fail.

use std::{io, path::PathBuf};

use crds::{Network, pod::source_reasons};

use crate::chain::{self, BlockRef, Height};

/// How block files fail.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// The folder is not there.
    #[error("block files cannot be read from {}: give the folder `blocks` of a node's data, readable for this process", .path.display())]
    NoFolder { path: PathBuf, source: io::Error },
    /// There is nothing in it.
    #[error("{} has no files named blk00000.dat and on: give the folder `blocks` of a node's data", .path.display())]
    NoFiles { path: PathBuf },
    /// A file of it cannot be read.
    #[error("read {}: check its permissions and the disk", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The key of the obfuscation is none.
    #[error("{} must have 8 bytes: copy it from the node's folder along with the block files", .path.display())]
    Key { path: PathBuf },
    /// A file does not begin with a block of our network.
    #[error("{} does not begin with a block of {network} (its first bytes are {found}): give the block files of a {network} node, and their xor.dat", .path.display())]
    Foreign {
        path: PathBuf,
        network: Network,
        found: String,
    },
    /// Blocks between genesis and others are not there.
    #[error("the block files in {} have a hole after {}: {count} blocks there do not follow from it; give a folder that was copied whole and never pruned, or the address of a node beside it", .path.display(), .after.map_or("nothing".into(), |height| format!("block {height}")))]
    Hole {
        path: PathBuf,
        after: Option<Height>,
        count: usize,
    },
    /// A block of the best chain does not have the difficulty it must have.
    #[error("block {} at height {} in {} breaks the rules of its network: give the block files of a node of that network", .at.hash, .at.height, .path.display())]
    Difficulty {
        path: PathBuf,
        at: BlockRef,
        source: Box<chain::Error>,
    },
    /// They do not have a block.
    #[error("the block files in {} do not have block {} at height {}", .path.display(), .at.hash, .at.height)]
    NoBlock { path: PathBuf, at: BlockRef },
    /// They had it.
    #[error("{} is gone, and with it block {}: its node prunes; give a folder that keeps all blocks from there on", .path.display(), .at.height)]
    Gone { path: PathBuf, at: BlockRef },
    /// Other bytes are where a block was.
    #[error("{} has no valid block at byte {offset}, where block {} was: check the disk", .path.display(), .at.height)]
    Damaged {
        path: PathBuf,
        offset: u32,
        at: BlockRef,
        source: Box<chain::Error>,
    },
}

impl Error {
    /// The word for it out of [`source_reasons`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } | Self::NoFiles { .. } => source_reasons::BLOCK_FILES_MISSING,
            Self::Read { .. } | Self::Key { .. } => source_reasons::BLOCK_FILES_UNREADABLE,
            Self::Foreign { .. } => source_reasons::WRONG_NETWORK,
            Self::Hole { .. } => source_reasons::BLOCK_FILES_INCOMPLETE,
            Self::Gone { .. } => source_reasons::PRUNED,
            Self::NoBlock { .. } | Self::Damaged { .. } | Self::Difficulty { .. } => source_reasons::BAD_ANSWER,
        }
    }
}
