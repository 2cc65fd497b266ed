//! The configuration of one indexer process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    identity::{Identity, Revision},
    pod::{Bootstrap, Publishing},
    spec::RefreshPolicy,
};

/// Everything one indexer process needs to know. Written as YAML by the operator, or built from a manifest or flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// `NAMESPACE/NAME` of the resource, or a label of a local run. For logs and `/status` only.
    pub indexer: String,
    /// The identity of the index. The store refuses to open under another one, but see `in_place`.
    pub identity: Identity,
    /// The name of the data, where it is not that of `identity`: the revision that began it and was continued in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_revision: Option<Revision>,
    /// Data of another module, of the same network, first height and limit, is continued with this one from the next
    /// height on; data that this module began, or continued before, is unwound to where the next one took over.
    #[serde(default)]
    pub in_place: bool,
    /// The first height of this module in data that others began, the same for all replicas, since their digests depend
    /// on it. A store that is further goes back to it; one that ends below it, an empty one too, is refused, or filled
    /// as `seed` says. None: the next height of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_at: Option<u32>,
    /// Where an empty store gets its first blocks from; none: from the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// A snapshot with which an empty store begins, where `seed` brings nothing; none: the first blocks come from the
    /// chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// Snapshots to publish; none: there are to be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Publishing>,
    /// Where the module's bytes are.
    pub module: Module,
    /// Where blocks come from.
    pub source: Source,
    /// Height of the last block to index, at which the process stays; none: the chain is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_height: Option<u32>,
    /// How many blocks can be undone.
    pub max_reorg_depth: u32,
    /// A pod that is behind by at most this many blocks counts as caught up.
    pub max_behind: u32,
    /// Linear memory, in bytes, at which a refresh is due before the next block.
    pub threshold_bytes: u64,
    /// When a fresh instance is made.
    pub refresh: RefreshPolicy,
    /// With `OnThreshold`, every so many blocks one is audited; 0: none.
    #[serde(default)]
    pub audit_every: u32,
    /// How many times a failed block is retried.
    pub retry_attempts: u32,
    /// Bounds on queries.
    pub views: Views,
    /// Memory of the store, in bytes: see [`crate::store_memory`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    /// The folder of the database and of compiled modules.
    pub data_dir: PathBuf,
    /// `ADDRESS:PORT` of the JSON-RPC server.
    pub rpc_listen: String,
    /// `ADDRESS:PORT` of the ops server.
    pub ops_listen: String,
    /// Origins whose pages may read JSON-RPC answers, with commas between them, or `*`; none: no page of another origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors_origin: Option<String>,
    /// Stop before this height and exit; none: follow the chain indefinitely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_at: Option<u32>,
}

/// A copy of another pod's store for an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// The last height taken over from data whose newest module is another one; this module continues after it. None:
    /// only data whose newest module is this one is accepted. Such data is always taken over as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_height: Option<u32>,
    /// Base URLs of ops ports, tried in turn: first pods of the same revision, then pods of the revision copied. The
    /// process' own is left out, by its host's name.
    pub from: Vec<String>,
    /// When none of them has a copy to give, the first blocks come from the chain.
    #[serde(default)]
    pub optional: bool,
}

/// Where a module's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Module {
    /// In a file; in a pod that of a `ConfigMap`.
    Path {
        /// The file.
        path: PathBuf,
    },
    /// At a web server.
    Http {
        /// Its URL, without credentials.
        url: String,
    },
    /// In a container registry.
    Oci {
        /// `REGISTRY/REPOSITORY@sha256:DIGEST`.
        image: String,
        /// A file as written by `docker login`, with the registry's credentials; none: the registry needs none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pull_secret: Option<PathBuf>,
        /// The registry is accessed without TLS; credentials are sent in the clear.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        plain_http: bool,
    },
}

/// A Bitcoin node, or several tried in order; block files; or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Base URLs of nodes, the preferred one first, without credentials. None: blocks come from files only.
    #[serde(default)]
    pub urls: Vec<String>,
    /// A folder with the files `username` and `password`, re-read whenever the node rejects them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_dir: Option<PathBuf>,
    /// The cookie file that a node on this machine writes at each start, re-read whenever the node rejects it; used
    /// instead of `credentials_dir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_file: Option<PathBuf>,
    /// A node's folder of `blk*.dat` files. Next to a node, it spares the node from serving the blocks that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_files: Option<PathBuf>,
}

/// The longest [`Views::timeout_ms`]: 5 minutes. A pod that ends lets its views end first, and a node that is drained
/// waits for the pod.
pub const VIEWS_TIMEOUT_MS_MAX: u64 = 300_000;

/// Bounds on queries, each as in the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Views {
    /// Views that run at the same time.
    pub max_concurrent: u32,
    /// Wall time of one view, in milliseconds.
    pub timeout_ms: u64,
    /// Linear memory of one view's instance, in bytes.
    pub memory_limit_bytes: u64,
    /// The longest request body, in bytes.
    pub max_request_bytes: u64,
    /// The longest answer of one view, in bytes.
    pub max_response_bytes: u64,
}

impl Config {
    /// The name of the data.
    #[must_use]
    pub fn data_revision(&self) -> Revision {
        self.data_revision.clone().unwrap_or_else(|| self.identity.revision())
    }
}
