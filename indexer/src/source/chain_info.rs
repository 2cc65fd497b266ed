//! The state of a node's chain, as both of its interfaces report it.

use serde::Deserialize;

/// What both interfaces say of the chain, as far as it is needed.
#[derive(Deserialize)]
pub(super) struct ChainInfo {
    pub(super) blocks: u32,
    #[serde(default)]
    pub(super) headers: u32,
    pub(super) bestblockhash: String,
    #[serde(default)]
    pub(super) initialblockdownload: bool,
    /// The lowest block it still has; absent if it keeps all.
    pub(super) pruneheight: Option<u32>,
}
