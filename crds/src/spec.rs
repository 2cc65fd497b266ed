//! The spec of the resource. Its rules are part of the schema, so the API server rejects specs that cannot work.
//!
//! Unknown fields are ignored on reading, because an operator must be able to read what a newer definition allows.
//! Manifests written by hand are checked against the schema first, see [`crate::unknown_fields`].

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod access;
mod chain;
mod kubernetes;
mod memory;
mod module;
mod placement;
mod pod_metadata;
mod secret;
mod snapshots;
mod storage;
mod views;

pub use access::AccessSpec;
pub use chain::{BitcoindSpec, BlockFilesSpec, ChainSpec, SourceSpec};
pub use memory::{MemorySpec, RefreshPolicy, ResizePolicy};
pub use module::{ConfigMapKey, HttpModule, ModuleSpec, OciModule};
pub use placement::PlacementSpec;
pub use pod_metadata::PodMetadataSpec;
pub use secret::SecretRef;
pub use snapshots::{BootstrapSnapshotSpec, BootstrapSpec, SnapshotVerify, SnapshotsSpec};
pub use storage::{AutoGrowSpec, Retention, StorageSpec};
pub use views::ViewsSpec;

use crate::{rollout::RolloutSpec, status::IndexerStatus};

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
        name = "Left",
        type_ = "string",
        json_path = ".status.active.timeLeft",
        description = "How long it takes to reach the tip at the pace of the last half a minute",
        priority = 1
    ),
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
    /// The chain to index.
    pub chain: ChainSpec,
    /// How much memory the guest may use, and what happens as it grows.
    #[serde(default)]
    pub memory: MemorySpec,
    /// What happens after a failed block.
    #[serde(default)]
    pub retry: RetrySpec,
    /// The volume of each pod. Its class cannot change after creation.
    #[x_kube(validation = Rule::new("has(self.storageClassName) ? has(oldSelf.storageClassName) && self.storageClassName == oldSelf.storageClassName : !has(oldSelf.storageClassName)")
        .message("storage.storageClassName cannot change: create another Indexer and move the clients"))]
    #[serde(default)]
    pub storage: StorageSpec,
    /// How an empty volume begins; without it, with the copy of another pod of its revision if there is one, else at
    /// `chain.startHeight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<BootstrapSpec>,
    /// Copies of the index for others, published while blocks are indexed; without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotsSpec>,
    /// How a new identity, typically a new module, takes over.
    #[serde(default)]
    pub rollout: RolloutSpec,
    /// Pods that build and serve the same index, each with a volume of its own.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 16))]
    pub replicas: i32,
    /// Bounds on queries.
    #[serde(default)]
    pub views: ViewsSpec,
    /// True: the pods are removed and their data is kept.
    #[serde(default)]
    pub suspend: bool,
    /// The indexer image; defaults to the one that matches the operator's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Resources of the indexer container. The default is derived from `memory` and `views` and shown in the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// The class of the operators that look after it; without it, those that have none. Changing it hands the Indexer over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub operator_class: Option<String>,
    /// Where the pods run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementSpec>,
    /// Secrets in the same namespace, of type `kubernetes.io/dockerconfigjson`, with which nodes pull the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Option<Vec<SecretRef>>,
    /// Labels and annotations of the pods, beside those that the operator sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_metadata: Option<PodMetadataSpec>,
    /// Who may reach the pods. Without it anyone may send queries, and the metrics are for those that the chart names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSpec>,
}

/// What happens after a failed block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RetrySpec {
    /// How many times a block that the guest failed is retried, each time in a fresh instance, before the index halts.
    #[schemars(range(max = 10))]
    pub attempts: u32,
}

impl Default for RetrySpec {
    fn default() -> Self {
        Self { attempts: 1 }
    }
}

fn one() -> i32 {
    1
}
