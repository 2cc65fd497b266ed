//! The status half of the resource: what was observed, never what is wished.

use std::fmt;

use k8s_openapi::{
    api::core::v1::ResourceRequirements,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Revision;

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
    /// One row for each pod, by name; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
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

/// Where the serving revision stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// Height of the last block indexed by the pod that is furthest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Hash of that block, in display order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<String>,
    /// Digest of the index at that height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Blocks between that height and the chain's tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// The modules that built its data, oldest first, where there was more than one; at most the newest 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub lineage: Vec<LineageStep>,
}

/// A module's part in the data of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineageStep {
    /// The first height it ran for.
    pub from_height: u32,
    /// SHA-256 of the module.
    pub module_sha256: String,
}

/// Where the declared revision stands before clients are moved to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// Height of the last block indexed by the pod that is furthest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Blocks between that height and the chain's tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// Since when it is caught up and healthy, without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
}

/// A revision kept for a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// When its pods go.
    pub until: Time,
}

/// How two revisions answered the same questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The revision that served.
    pub active: Revision,
    /// The candidate.
    pub candidate: Revision,
    /// Questions asked of both.
    pub asked: u32,
    /// How many of them were answered differently.
    pub different: u32,
    /// The first of them, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub differences: Vec<ViewDifference>,
}

/// A question two revisions answered differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViewDifference {
    /// The view.
    pub function: String,
    /// The first digits of what it was given.
    pub input: String,
    /// At which height.
    pub height: u32,
    /// The start of the serving revision's answer, or its error.
    pub active: String,
    /// The start of the candidate's.
    pub candidate: String,
}

/// Memory as the pods report it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStatus {
    /// Linear memory of the guest after its last block, in bytes.
    #[serde(default)]
    pub guest_bytes: u64,
    /// The most linear memory a guest had since the pod started, in bytes.
    #[serde(default)]
    pub guest_peak_bytes: u64,
    /// The height at which it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_peak_height: Option<u32>,
    /// Resident memory of the whole process, in bytes.
    #[serde(default)]
    pub resident_bytes: u64,
    /// The threshold in force, in bytes.
    #[serde(default)]
    pub threshold_bytes: u64,
    /// The limit in force, in bytes.
    #[serde(default)]
    pub limit_bytes: u64,
    /// Peak and threshold in one short text, for the table view: `61Mi/64Mi`.
    #[serde(default)]
    pub peak_of_threshold: String,
    /// Refreshes since the pod started, by reason.
    #[serde(default)]
    pub refreshes: Refreshes,
    /// The sum of them.
    #[serde(default)]
    pub refreshes_total: u64,
    /// The last refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refresh: Option<LastRefresh>,
}

/// Counts of refreshes, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Refreshes {
    /// `EveryBlock`: a fresh instance for a block.
    pub block: u64,
    /// The instance before had reached the threshold.
    pub threshold: u64,
    /// A block had failed.
    pub failure: u64,
    /// Somebody asked.
    pub manual: u64,
    /// Blocks had been undone.
    pub unwind: u64,
}

/// Why an instance was replaced by a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RefreshReason {
    /// `EveryBlock`: a fresh instance for a block.
    Block,
    /// The instance before had reached the threshold.
    Threshold,
    /// A block had failed.
    Failure,
    /// Somebody asked.
    Manual,
    /// Blocks had been undone.
    Unwind,
}

/// The last refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRefresh {
    /// Why.
    pub reason: RefreshReason,
    /// The block the fresh instance was made for.
    #[serde(default)]
    pub height: u32,
    /// When.
    pub time: Time,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// The revision it runs.
    pub revision: Revision,
    /// What it does, as it says itself; `Unknown` when it does not answer.
    #[serde(default)]
    pub phase: Phase,
    /// Height of its last block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Linear memory of its guest, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_bytes: Option<u64>,
    /// Resident memory of its process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// Restarts of its container, as Kubernetes counts them.
    #[serde(default)]
    pub restarts: i32,
    /// What is wrong with it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a pod does right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It does not answer; nothing is known.
    #[default]
    Unknown,
    /// It opens its store and compiles its module.
    Starting,
    /// Its module is missing, has another digest or cannot be used; it looks again by itself.
    ModuleInvalid,
    /// Its chain source cannot be used; it tries again by itself.
    WaitingForSource,
    /// It indexes towards the tip.
    Syncing,
    /// It is at the tip and follows it.
    Following,
    /// It stopped below a block; what is below it stays served.
    Halted,
    /// It drains and ends.
    Stopping,
}

impl LastRefresh {
    /// A refresh of this moment.
    #[must_use]
    pub fn now(reason: RefreshReason, height: u32) -> Self {
        Self {
            reason,
            height,
            time: Time(k8s_openapi::jiff::Timestamp::now()),
        }
    }
}

impl Refreshes {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.block + self.threshold + self.failure + self.manual + self.unwind
    }

    /// The counter of one reason.
    pub fn of(&mut self, reason: RefreshReason) -> &mut u64 {
        match reason {
            RefreshReason::Block => &mut self.block,
            RefreshReason::Threshold => &mut self.threshold,
            RefreshReason::Failure => &mut self.failure,
            RefreshReason::Manual => &mut self.manual,
            RefreshReason::Unwind => &mut self.unwind,
        }
    }
}

impl RefreshReason {
    /// Every reason, in the order of the fields of [`Refreshes`].
    pub const ALL: [Self; 5] = [Self::Block, Self::Threshold, Self::Failure, Self::Manual, Self::Unwind];

    /// As a metric label: lower case.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Threshold => "threshold",
            Self::Failure => "failure",
            Self::Manual => "manual",
            Self::Unwind => "unwind",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
