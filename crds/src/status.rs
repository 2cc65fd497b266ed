//! The status half of the resource: what was observed, never what is wished.

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::apis::meta::v1::Condition};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

mod memory;
mod pod_row;
mod revision;

pub use memory::{LastRefresh, MemoryStatus, RefreshReason, Refreshes};
pub use pod_row::{Phase, PodRow};
pub use revision::{
    ActiveRevision, CandidateRevision, Comparison, LINEAGE_STEPS_MAX, LineageStep, PreviousRevision, ViewDifference,
};

/// What the operator last saw. Written only when it differs in substance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexerStatus {
    /// The generation of the spec this status speaks of; -1 before the operator has looked.
    #[serde(default)]
    pub observed_generation: i64,
    /// The revision that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActiveRevision>,
    /// The declared revision while another one serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateRevision>,
    /// The revision that served before, while its pods are kept for a way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousRevision>,
    /// The last comparison of views between two revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Memory of the pods, the highest where several report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStatus>,
    /// One row for each pod, those of the serving revision first; at most 48, as many as three revisions have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 48))]
    pub pods: Vec<PodRow>,
    /// Conditions, by type.
    #[serde(default)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where clients reach the index inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Resources the pods were given: those of the spec, or those derived from the memory limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Pods that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The last value of the annotation `shrewd.dev/refresh-requested-at` that every pod has acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh_at: Option<String>,
}
