//! The status of the resource: what was observed, never what is desired.

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::apis::meta::v1::Condition};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

mod memory;
mod operator;
mod pod_row;
mod revision;
mod snapshots;
mod storage;

pub use memory::{LastRefresh, MemoryRecommendation, MemoryStatus, RefreshReason, Refreshes};
pub use operator::OperatorStatus;
pub use pod_row::{Phase, PodRow};
pub use revision::{
    ActiveRevision, CandidateRevision, Comparison, LINEAGE_STEPS_MAX, LineageStep, PreviousRevision, RECORDS_MAX,
    RecordRow, ViewDifference,
};
pub use snapshots::{LatestSnapshot, SnapshotUnderway, SnapshotsStatus};
pub use storage::{CLAIM_ROWS_MAX, ClaimRow, StorageStatus};

/// What the operator observed last. Written only when it changes in substance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexerStatus {
    /// The generation of the spec that this status describes; -1 before the operator has seen the resource.
    #[serde(default)]
    pub observed_generation: i64,
    /// The operator that looks after it. Without it, whichever operator of its class comes first does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorStatus>,
    /// The revision that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveRevision>,
    /// The declared revision while another one serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateRevision>,
    /// The previous revision, while its pods are kept for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousRevision>,
    /// What each revision with pods was declared as. The operator reads it where the revision's objects are lost; at
    /// most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub records: Vec<RecordRow>,
    /// The last comparison of views between two revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Memory of the pod whose guest used most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStatus>,
    /// One row for each pod, those of the serving revision first; at most 48, as many as three revisions have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48))]
    pub pods: Vec<PodRow>,
    /// The volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,
    /// Snapshots that are published; none where `snapshots` is not declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotsStatus>,
    /// Conditions, by type.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where clients reach the index inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Resources of the pods: those of the spec, or those derived from the memory limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// The number of pods.
    #[serde(default)]
    pub replicas: i32,
    /// The number of ready pods.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The last value of the annotation `shrewd.dev/refresh-requested-at` that every pod has carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh_at: Option<String>,
    /// The last value of the annotation `shrewd.dev/snapshot-requested-at` for which a snapshot was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_snapshot_at: Option<String>,
}
