//! What operator and pods say to each other: [`Config`] down, [`Status`] up. Nothing else passes between them.
//!
//! The two may be of different versions, so fields that are not known are skipped, and what a report lacks is unknown.

use std::path::PathBuf;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::{
    identity::{Identity, Revision},
    spec::RefreshPolicy,
    status::{LastRefresh, LineageStep, Phase, Refreshes},
};

/// TCP port of the JSON-RPC server.
pub const RPC_PORT: u16 = 8080;
/// TCP port of `/livez`, `/readyz`, `/status`, `/metrics` and `POST /refresh`.
pub const OPS_PORT: u16 = 9090;
/// How far behind the tip a pod may be and still count as caught up.
pub const MAX_BEHIND: u32 = 2;

/// All that one indexer process must know. Written as YAML by the operator, or made from a manifest or flags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// `NAMESPACE/NAME` of the resource, or a label of a local run. For logs and `/status` only.
    pub indexer: String,
    /// What the index is. The store refuses to open under another one, but see `in_place`.
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
    /// Where the module's bytes are.
    pub module: Module,
    /// Where blocks come from.
    pub source: Source,
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
    /// How often a failed block is run again.
    pub retry_attempts: u32,
    /// Bounds on queries.
    pub views: Views,
    /// The folder of the database and of compiled modules.
    pub data_dir: PathBuf,
    /// `ADDRESS:PORT` of the JSON-RPC server.
    pub rpc_listen: String,
    /// `ADDRESS:PORT` of the ops server.
    pub ops_listen: String,
    /// Value of `Access-Control-Allow-Origin` of JSON-RPC answers; none: no such header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors_origin: Option<String>,
    /// Stop before this height and exit; none: follow the chain for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_at: Option<u32>,
}

/// A copy of another pod's store for an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// The last height that is taken over of data whose newest module is another one; this one goes on behind it. None:
    /// only data whose newest module is this one is taken over. Such data is always taken over as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_height: Option<u32>,
    /// Base URLs of ops ports, asked in turn until one serves: first pods of the same revision, then of the one copied.
    pub from: Vec<String>,
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
        /// A file as `docker login` writes it, with the registry's credentials; none: they are not needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pull_secret: Option<PathBuf>,
        /// The registry is spoken to without TLS, credentials included.
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
    /// A folder with the files `username` and `password`, read again whenever the node refuses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_dir: Option<PathBuf>,
    /// The file a node on this machine writes at each start, read again whenever the node refuses what it said; instead
    /// of `credentials_dir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_file: Option<PathBuf>,
    /// A node's folder of `blk*.dat` files. Beside a node it saves the node the work for the blocks that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_files: Option<PathBuf>,
}

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

/// What a pod reports, as JSON at `/status` of its ops port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// `NAMESPACE/NAME` of the resource, or the label of a local run.
    pub indexer: String,
    /// The name of its data: [`Config::data_revision`], else the revision of its identity.
    pub revision: Revision,
    /// The modules that built its data, oldest first, where there was more than one; at most the newest 16.
    #[serde(default)]
    pub lineage: Vec<LineageStep>,
    /// How an empty store is filled with a copy; not asked for: not known.
    #[serde(default)]
    pub seed: Check,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// What it does right now.
    #[serde(default)]
    pub phase: Phase,
    /// Whether it belongs into the Service: caught up, its view of the tip fresh, not halted.
    #[serde(default)]
    pub ready: bool,
    /// Height of the last block committed.
    #[serde(default)]
    pub height: Option<u32>,
    /// Its hash, in display order.
    #[serde(default)]
    pub block_hash: Option<String>,
    /// Digest of the index at that height, hex.
    #[serde(default)]
    pub digest: Option<String>,
    /// The node's tip, when it last answered.
    #[serde(default)]
    pub tip: Option<u32>,
    /// `tip - height`; none until both are known.
    #[serde(default)]
    pub behind: Option<u32>,
    /// The module's state.
    #[serde(default)]
    pub module: Check,
    /// The chain source's state.
    #[serde(default)]
    pub source: Check,
    /// Memory.
    #[serde(default)]
    pub memory: Memory,
    /// Set while this machine fails to do what a block needs, and it is tried again.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// Set while it is halted.
    #[serde(default)]
    pub halt: Option<Halt>,
    /// The id of the last request to refresh that was carried out.
    #[serde(default)]
    pub last_refresh_request: Option<String>,
}

/// Whether a thing is as it must be, and if not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Check {
    /// True: as it must be. None: not known yet.
    pub ok: Option<bool>,
    /// One CamelCase word out of a fixed set; it becomes the reason of a condition.
    pub reason: String,
    /// For people: what was found and what to do.
    pub message: String,
}

/// Memory of one process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Linear memory of the guest at the end of its last block, in bytes.
    pub guest_bytes: u64,
    /// The most it was since the process started, in bytes.
    pub guest_peak_bytes: u64,
    /// The height at which that was.
    pub guest_peak_height: Option<u32>,
    /// Resident memory of the process, in bytes.
    pub resident_bytes: u64,
    /// The threshold in force, in bytes.
    pub threshold_bytes: u64,
    /// The limit in force, in bytes.
    pub limit_bytes: u64,
    /// Height of the last block that ended at or above the threshold.
    pub last_crossing_height: Option<u32>,
    /// Refreshes since the process started.
    pub refreshes: Refreshes,
    /// The last of them.
    pub last_refresh: Option<LastRefresh>,
}

/// Why indexing stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// What kind of failure it was.
    pub class: FaultClass,
    /// The height that could not be indexed.
    pub height: u32,
    /// The block there, in display order.
    pub block_hash: String,
    /// How often it was run.
    pub runs: u32,
    /// The guest's own words, or ours; at most 1,000 characters.
    pub message: String,
}

/// What a machine fails to do for the guest. Ends with the next block committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// What kind of failure it is.
    pub class: FaultClass,
    /// What failed last; at most 1,000 characters.
    pub message: String,
    /// When it failed first.
    pub since: Time,
}

impl Trouble {
    /// One that begins at this moment.
    #[must_use]
    pub fn now(class: FaultClass, message: String) -> Self {
        Self {
            class,
            message,
            since: Time(k8s_openapi::jiff::Timestamp::now()),
        }
    }
}

/// Kinds of failures of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultClass {
    /// The guest's own doing: a trap, an abort, no flush, a broken call. Halts.
    Guest,
    /// The guest failed after it was refused more memory than its limit. Halts.
    Limit,
    /// This machine's: memory, disk. Tried again, never halts.
    Host,
    /// The node's. Tried again, never halts.
    Source,
    /// The chain left the range that can be undone. Halts.
    Reorg,
    /// A kept instance and a fresh one wrote different things for the same block. Halts.
    Nondeterminism,
}

/// Body of `POST /refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// Any text; a request with the id of the last one carried out does nothing. At most 256 bytes.
    pub id: String,
}

/// Reasons of [`Status::module`].
pub mod module_reasons {
    /// The bytes have the declared digest, compile, and have the needed exports.
    pub const VERIFIED: &str = "Verified";
    /// Nothing was looked at yet.
    pub const PENDING: &str = "Pending";
    /// The file is not there.
    pub const NOT_FOUND: &str = "ModuleNotFound";
    /// It cannot be fetched from where it is; the pod tries again by itself.
    pub const FETCH_FAILED: &str = "FetchFailed";
    /// The bytes have another digest than declared.
    pub const DIGEST_MISMATCH: &str = "DigestMismatch";
    /// The bytes are no core WebAssembly module, or one that cannot be run here.
    pub const NOT_WASM: &str = "InvalidModule";
    /// `_start` or `memory` is missing or of another type.
    pub const MISSING_EXPORT: &str = "MissingExport";
    /// The module is usable, but not on the data that is there.
    pub const IN_PLACE_REFUSED: &str = "InPlaceRefused";
}

/// Reasons of [`Status::seed`].
pub mod seed_reasons {
    /// The copy is made, or looked for.
    pub const COPYING: &str = "Copying";
    /// The copy is complete and its digests agree.
    pub const SEEDED: &str = "Seeded";
    /// No pod serves a copy just now; it is asked for again.
    pub const UNREACHABLE: &str = "SeedUnreachable";
    /// The copy is not what it should be, or cannot be continued; the message says why.
    pub const REFUSED: &str = "SeedRefused";
}

impl Config {
    /// The name of the data.
    #[must_use]
    pub fn data_revision(&self) -> Revision {
        self.data_revision.clone().unwrap_or_else(|| self.identity.revision())
    }
}

/// Reasons of [`Status::source`].
pub mod source_reasons {
    /// The node answers and is the right one.
    pub const FOLLOWING: &str = "Following";
    /// Nothing was asked yet.
    pub const PENDING: &str = "Pending";
    /// No connection, a timeout, or an answer that breaks off.
    pub const UNREACHABLE: &str = "Unreachable";
    /// 401 or 403.
    pub const UNAUTHORIZED: &str = "Unauthorized";
    /// The files with the credentials are not there.
    pub const CREDENTIALS_MISSING: &str = "CredentialsMissing";
    /// Its genesis block is another one.
    pub const WRONG_NETWORK: &str = "WrongNetwork";
    /// It no longer has blocks that are needed.
    pub const PRUNED: &str = "Pruned";
    /// It is still catching up with the network itself.
    pub const INITIAL_SYNC: &str = "InitialSync";
    /// Its best chain is shorter than the index and does not hold the index's last block: it lost blocks, or another one
    /// took over.
    pub const NODE_BEHIND: &str = "NodeBehind";
    /// What it sent is no block, no header, or not the one asked for.
    pub const BAD_ANSWER: &str = "BadAnswer";
    /// Neither REST nor JSON-RPC can be used: `rest=1` and credentials are both missing.
    pub const NO_INTERFACE: &str = "NoInterface";
    /// The folder of block files is not there, or has none.
    pub const BLOCK_FILES_MISSING: &str = "BlockFilesMissing";
    /// A block file, or the key to it, cannot be read.
    pub const BLOCK_FILES_UNREADABLE: &str = "BlockFilesUnreadable";
    /// Blocks between genesis and others are in no block file.
    pub const BLOCK_FILES_INCOMPLETE: &str = "BlockFilesIncomplete";
}
