//! The spec half of the resource. Its rules are part of the schema, so that the API server refuses what cannot work.
//!
//! Fields that are not known are skipped when reading: an operator must be able to read what a newer definition allows.
//! Whoever reads what people write by hand checks it against the schema first, see [`crate::unknown_fields`].

use std::fmt;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    quantity::{ByteSize, TimeSpan},
    rollout::RolloutSpec,
    status::IndexerStatus,
};

/// A Bitcoin index built by a WASM module.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "shrewd.dev",
    version = "v1alpha1",
    kind = "Indexer",
    plural = "indexers",
    shortname = "ix",
    category = "shrewd",
    namespaced,
    status = "IndexerStatus",
    derive = "PartialEq",
    doc = "A Bitcoin index built by a WASM module: declared here, built and served by pods.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')")
        .message("metadata.name must be a DNS label of at most 40 characters that starts with a letter: Services and pods are named after it"),
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Network", type_ = "string", json_path = ".spec.chain.network"),
    printcolumn(name = "Height", type_ = "integer", json_path = ".status.active.height"),
    printcolumn(name = "Behind", type_ = "integer", json_path = ".status.active.behind"),
    printcolumn(
        name = "Memory",
        type_ = "string",
        json_path = ".status.memory.peakOfThreshold",
        description = "Peak of the guest's linear memory since its pod started, and the threshold"
    ),
    printcolumn(name = "Refreshes", type_ = "integer", json_path = ".status.memory.refreshesTotal"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.active.revision", priority = 1),
    printcolumn(name = "Candidate", type_ = "string", json_path = ".status.candidate.revision", priority = 1),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct IndexerSpec {
    /// The guest's code.
    pub module: ModuleSpec,
    /// The chain it is fed.
    pub chain: ChainSpec,
    /// How much memory the guest may take, and what happens as it grows.
    #[serde(default)]
    pub memory: MemorySpec,
    /// What happens after a failed block.
    #[serde(default)]
    pub retry: RetrySpec,
    /// The volume of each pod. Its size and class cannot change after creation.
    #[x_kube(validation = Rule::new("self.size == oldSelf.size && (has(self.storageClassName) ? has(oldSelf.storageClassName) && self.storageClassName == oldSelf.storageClassName : !has(oldSelf.storageClassName))")
        .message("storage.size and storage.storageClassName cannot change: create another Indexer and move the clients"))]
    #[serde(default)]
    pub storage: StorageSpec,
    /// How another identity, above all another module, takes over.
    #[serde(default)]
    pub rollout: RolloutSpec,
    /// Pods that build and serve the same index, each with a volume of its own.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 16))]
    pub replicas: i32,
    /// Bounds on queries.
    #[serde(default)]
    pub views: ViewsSpec,
    /// True: the pods are gone, their data is kept.
    #[serde(default)]
    pub suspend: bool,
    /// The indexer image; the default is the one of the operator's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Resources of the indexer container. The default is derived from `memory` and `views`, and shown in the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// Where the module's bytes come from: exactly one of `configMap`, `http`, `oci` and `path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.http), has(self.oci), has(self.path)].exists_one(given, given)").message("exactly one of module.configMap, module.http, module.oci and module.path must be given"))]
#[serde(rename_all = "camelCase")]
pub struct ModuleSpec {
    /// SHA-256 of the bytes, 64 lowercase hex digits. Bytes with another digest are never run.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// A key of `binaryData` in a `ConfigMap` of the same namespace; its size is at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A file of a web server, fetched once and kept on each pod's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpModule>,
    /// An artifact of a container registry, fetched once and kept on each pod's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciModule>,
    /// A file of this machine, for `shrewd-indexer run --manifest`. No pod has it: the operator refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
}

/// A file of a web server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct HttpModule {
    /// Where it is: at most 5 redirects are followed, none of them from https to http. At most 256 MiB are read.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^@/?# ]+(/[^# ]*)?$')").message("module.http.url must read http(s)://host[:port]/path, without credentials"))]
    pub url: String,
}

/// An artifact of a container registry with one layer, the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciModule {
    /// `REGISTRY/REPOSITORY@sha256:DIGEST` of its manifest. The layer's digest is `module.sha256`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[a-zA-Z0-9._-]+)?@sha256:[0-9a-f]{64}$')").message("module.oci.image must read registry/repository@sha256:digest"))]
    pub image: String,
    /// A Secret of type `kubernetes.io/dockerconfigjson` in the same namespace. Without it the registry is asked without
    /// credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret_ref: Option<SecretRef>,
}

/// A key in a `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKey {
    /// Name of the `ConfigMap`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// The chain and where its blocks come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChainSpec {
    /// The network. It cannot change: another network is another index.
    #[x_kube(validation = Rule::new("self == oldSelf").message("chain.network cannot change: create another Indexer"))]
    pub network: Network,
    /// Height of the first block fed to the guest.
    #[serde(default)]
    #[schemars(range(max = 2_000_000_000))]
    pub start_height: u32,
    /// How many blocks can be undone when the chain reorganises; a deeper reorganisation halts the index.
    #[serde(default = "default_max_reorg_depth")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_reorg_depth: u32,
    /// Where blocks come from.
    pub source: SourceSpec,
}

/// A source of blocks: exactly one of `bitcoind` and `blockFiles`; in a local run both may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.bitcoind) != has(self.blockFiles)").message("exactly one of chain.source.bitcoind and chain.source.blockFiles must be given"))]
#[serde(rename_all = "camelCase")]
pub struct SourceSpec {
    /// A Bitcoin node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitcoind: Option<BitcoindSpec>,
    /// The files of a node, for `shrewd-indexer run --manifest`. No pod has them: the operator refuses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_files: Option<BlockFilesSpec>,
}

/// A node's folder of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockFilesSpec {
    /// The folder with `blk00000.dat` and on, obfuscated (with `xor.dat` beside them) or not.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}

/// A Bitcoin node, or several that are tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BitcoindSpec {
    /// Base URLs, the preferred one first: `http://bitcoind:8332`. The next one is used while one does not answer.
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 512)))]
    #[x_kube(validation = Rule::new("self.all(u, u.matches('^https?://[^@/?#]+/?$'))").message("each url must read http(s)://host[:port], with credentials in authSecretRef"))]
    pub urls: Vec<String>,
    /// A Secret of the same namespace with the keys `username` and `password`. Without it only REST is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<SecretRef>,
}

/// A Secret by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A Bitcoin network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The main network.
    Mainnet,
    /// The third test network.
    Testnet3,
    /// The fourth test network (BIP 94).
    Testnet4,
    /// The default signed test network (BIP 325).
    Signet,
    /// A private network for tests.
    Regtest,
}

/// The guest's memory. All figures speak of its linear memory, not of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("quantity(self.threshold).compareTo(quantity(self.limit)) <= 0").message("memory.threshold must not exceed memory.limit"))]
#[serde(rename_all = "camelCase")]
pub struct MemorySpec {
    /// A guest with this much memory is replaced by a fresh instance before the next block.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Ki')) >= 0").message("memory.threshold must be at least 64Ki, one page"))]
    #[serde(default = "MemorySpec::default_threshold")]
    pub threshold: ByteSize,
    /// When a fresh instance is made.
    #[serde(default = "MemorySpec::default_refresh")]
    pub refresh: RefreshPolicy,
    /// The most memory a guest may have: `memory.grow` beyond it is refused. Part of the index's identity.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('4Gi')) <= 0").message("memory.limit must be at most 4Gi, all that a 32-bit guest can address"))]
    #[serde(default = "MemorySpec::default_limit")]
    pub limit: ByteSize,
    /// With `OnThreshold`, blocks at heights that this divides run also in a fresh instance and must write the same, else
    /// the index halts: the guest lets something pass from block to block. 0 means never. `EveryBlock` needs no audit.
    #[serde(default = "MemorySpec::default_audit_every")]
    #[schemars(range(max = 1_000_000))]
    pub audit_every: u32,
}

/// When a fresh instance of the guest is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefreshPolicy {
    /// Before every block: no state can pass between blocks, so the index depends on the chain alone.
    #[default]
    EveryBlock,
    /// Before a block once memory has reached the threshold; after a failure, an unwind or a request; at start.
    OnThreshold,
}

/// What happens after a failed block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RetrySpec {
    /// How often a block the guest failed is run again, each time in a fresh instance, before the index halts.
    #[schemars(range(max = 10))]
    pub attempts: u32,
}

/// The volume of each pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Its size.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Mi')) >= 0").message("storage.size must be at least 64Mi"))]
    #[serde(default = "StorageSpec::default_size")]
    pub size: ByteSize,
    /// Its storage class; the default is the cluster's own.
    #[serde(
        default = "StorageSpec::default_storage_class_name",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// What happens to the volumes when the Indexer, or the revision they belong to, is deleted.
    #[serde(default = "StorageSpec::default_retention")]
    pub retention: Retention,
}

/// What happens to volumes nobody uses any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Retention {
    /// They stay, for a human to delete.
    #[default]
    Retain,
    /// They go.
    Delete,
}

/// Bounds on queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViewsSpec {
    /// Views that run at the same time; more wait for a place, within their timeout.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default = "ViewsSpec::default_max_concurrent")]
    pub max_concurrent: u32,
    /// Wall time of one view, the wait for a place included.
    #[serde(default = "ViewsSpec::default_timeout")]
    pub timeout: TimeSpan,
    /// Linear memory of one view's instance.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('4Gi')) <= 0").message("views.memoryLimit must be at most 4Gi"))]
    #[serde(default = "ViewsSpec::default_memory_limit")]
    pub memory_limit: ByteSize,
    /// The longest request body.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('1Gi')) <= 0").message("views.maxRequestBytes must be at most 1Gi"))]
    #[serde(default = "ViewsSpec::default_max_request_bytes")]
    pub max_request_bytes: ByteSize,
    /// The longest answer of one view, before it is written as hex.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('1Gi')) <= 0").message("views.maxResponseBytes must be at most 1Gi"))]
    #[serde(default = "ViewsSpec::default_max_response_bytes")]
    pub max_response_bytes: ByteSize,
}

// 1.75 GiB of the 2 GiB that AssemblyScript guests declare as their maximum; all of 32 bits as the limit.
defaults!(MemorySpec {
    default_threshold, threshold: ByteSize = ByteSize::mebibytes(1792);
    default_refresh, refresh: RefreshPolicy = RefreshPolicy::EveryBlock;
    default_limit, limit: ByteSize = ByteSize("4Gi".into());
    default_audit_every, audit_every: u32 = 1000;
});

defaults!(StorageSpec {
    default_size, size: ByteSize = ByteSize("50Gi".into());
    default_storage_class_name, storage_class_name: Option<String> = None;
    default_retention, retention: Retention = Retention::Retain;
});

defaults!(ViewsSpec {
    default_max_concurrent, max_concurrent: u32 = 32;
    default_timeout, timeout: TimeSpan = TimeSpan("10s".into());
    default_memory_limit, memory_limit: ByteSize = ByteSize::mebibytes(512);
    default_max_request_bytes, max_request_bytes: ByteSize = ByteSize::mebibytes(8);
    default_max_response_bytes, max_response_bytes: ByteSize = ByteSize::mebibytes(64);
});

impl Default for RetrySpec {
    fn default() -> Self {
        Self { attempts: 1 }
    }
}

impl Network {
    /// As written in a spec.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet3 => "testnet3",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn one() -> i32 {
    1
}

/// A day's blocks are 144; no reorganisation of the main network since 2013 was deeper than 24.
fn default_max_reorg_depth() -> u32 {
    100
}
