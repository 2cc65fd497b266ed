//! `spec.chain`: the network, the range of blocks, and where they come from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{network::Network, spec::secret::SecretRef};

/// The chain and where its blocks come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.stopHeight) || self.stopHeight >= self.startHeight").message("chain.stopHeight must not be below chain.startHeight"))]
#[serde(rename_all = "camelCase")]
pub struct ChainSpec {
    /// The network. It is immutable: another network is another index.
    #[x_kube(validation = Rule::new("self == oldSelf").message("chain.network cannot change: create another Indexer"))]
    pub network: Network,
    /// Height of the first block to index.
    #[serde(default)]
    #[schemars(range(max = 2_000_000_000))]
    pub start_height: u32,
    /// Height of the last block to index: the index stays there and serves. It may change at any time; an index that is
    /// above it already stays where it is. None: the chain is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2_000_000_000))]
    pub stop_height: Option<u32>,
    /// How many blocks can be undone when the chain reorganises; a deeper reorganisation halts the index.
    #[serde(default = "default_max_reorg_depth")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_reorg_depth: u32,
    /// Where blocks come from.
    pub source: SourceSpec,
}

/// A source of blocks: exactly one of `bitcoind` and `blockFiles`; a local run may use both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.bitcoind) != has(self.blockFiles)").message("exactly one of chain.source.bitcoind and chain.source.blockFiles must be given"))]
#[serde(rename_all = "camelCase")]
pub struct SourceSpec {
    /// A Bitcoin node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitcoind: Option<BitcoindSpec>,
    /// The block files of a node, for `shrewd-indexer run --manifest` only: pods cannot access them, so the operator
    /// rejects them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_files: Option<BlockFilesSpec>,
}

/// A node's folder of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockFilesSpec {
    /// The folder with `blk00000.dat` and so on, obfuscated (with an `xor.dat` next to them) or not.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}

/// A Bitcoin node, or several that are tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BitcoindSpec {
    /// Base URLs, the preferred one first: `http://bitcoind:8332`. Each is used while the ones before it do not
    /// answer.
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 512)))]
    #[x_kube(validation = Rule::new("self.all(u, u.matches('^https?://[^@/?#]+/?$'))").message("each url must read http(s)://host[:port], with credentials in authSecretRef"))]
    pub urls: Vec<String>,
    /// A Secret in the same namespace with the keys `username` and `password`. Without it, only REST is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<SecretRef>,
}

/// A day's blocks are 144; no reorganisation of the main network since 2013 was deeper than 24.
fn default_max_reorg_depth() -> u32 {
    100
}
