//! The chain source of a process, as its configuration has it: a node, block files, or both.

use bitcoin::BlockHash;
use crds::{Network, pod};

use super::{
    BlockSource, Headers,
    bitcoind::Bitcoind,
    block_files::BlockFiles,
    error::{AddressError, Error},
    http::Login,
};
use crate::chain::{Block, BlockRef, Height};

/// Where blocks come from.
///
/// With both, the node is authoritative and the files are a cache of its blocks: a block they have is read there, every
/// other one is requested from the node. So the hand-over is no event, files may be old, incomplete or pruned, and no
/// block is taken from them that is not in the node's chain.
pub enum Configured {
    /// A node, or several.
    Node(Bitcoind),
    /// The files' own best chain.
    Files(BlockFiles),
    /// Blocks from files as far as they go.
    Both {
        /// Says which blocks.
        node: Bitcoind,
        /// Looked through once, at the start: what comes later comes from the node.
        files: BlockFiles,
    },
}

impl Configured {
    /// Nothing is sent or read before the first call. `login` is for a node whose credentials are not in files.
    ///
    /// # Errors
    /// When an address cannot be used, or when there is neither address nor folder.
    pub fn new(source: &pod::Source, network: Network, login: Option<&Login>) -> Result<Self, AddressError> {
        let files = source.block_files.as_ref().map(|path| BlockFiles::new(path, network));
        Ok(match files {
            Some(files) if source.urls.is_empty() => Self::Files(files),
            Some(files) => Self::Both {
                node: Bitcoind::with_login(source, network, login)?,
                files,
            },
            None => Self::Node(Bitcoind::with_login(source, network, login)?),
        })
    }
}

impl BlockSource for Configured {
    async fn tip(&self) -> Result<BlockRef, Error> {
        match self {
            Self::Node(node) => node.tip().await,
            Self::Files(files) => files.tip().await,
            Self::Both { node, files } => {
                // Said before the first block: a path that is wrong would only show in a slow sync.
                files.open().await?;
                node.tip().await
            }
        }
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Error> {
        match self {
            Self::Node(node) | Self::Both { node, .. } => node.hash_at(height).await,
            Self::Files(files) => files.hash_at(height).await,
        }
    }

    async fn headers_after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Error> {
        match self {
            Self::Node(node) | Self::Both { node, .. } => node.headers_after(from, max).await,
            Self::Files(files) => files.headers_after(from, max).await,
        }
    }

    async fn block(&self, at: BlockRef) -> Result<Block, Error> {
        let node = match self {
            Self::Files(files) => return files.block(at).await,
            Self::Node(node) => node,
            Self::Both { node, files } => {
                if files.has(at.hash) {
                    match files.block(at).await {
                        Ok(block) => return Ok(block),
                        Err(error) => {
                            tracing::warn!(height = %at.height, error = error.message(), "requesting it from the node instead");
                        }
                    }
                }
                node
            }
        };
        node.block(at).await
    }
}
