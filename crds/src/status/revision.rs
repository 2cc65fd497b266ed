//! The revisions of an index in the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Revision;

/// How many records a status has: three in a rollout, and some of revisions whose pods wait for a set to take them over.
pub const RECORDS_MAX: usize = 8;

/// How many steps of a lineage a pod reports and a status shows: the newest ones.
pub const LINEAGE_STEPS_MAX: usize = 16;

/// The state of the serving revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// Height of the last block indexed by the pod that is furthest ahead.
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
    /// Blocks indexed per second by that pod, averaged over about half a minute, while it catches up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_per_second: Option<String>,
    /// How long it takes to reach the tip at that pace: `7m`, `3h20m`, `2d5h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_left: Option<String>,
    /// The format of that pod's store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_format: Option<u32>,
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

/// The state of the declared revision before clients are moved to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// Height of the last block indexed by the pod that is furthest ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Blocks between that height and the chain's tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// Blocks indexed per second by that pod, averaged over about half a minute, while it catches up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_per_second: Option<String>,
    /// How long it takes to reach the tip at that pace: `7m`, `3h20m`, `2d5h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_left: Option<String>,
    /// Since when it has been caught up and healthy without interruption, as observed by the running operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
}

/// A revision kept for a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousRevision {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// When its pods are removed.
    pub until: Time,
}

/// What a revision was declared as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordRow {
    /// The revision, ten hex digits.
    pub revision: Revision,
    /// Its record, as its objects carry it: JSON for the operator alone.
    pub record: String,
}

/// The outcome of comparing the views of two revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The revision that served.
    pub active: Revision,
    /// The candidate.
    pub candidate: Revision,
    /// The number of calls made to both.
    pub asked: u32,
    /// How many of them had different answers.
    pub different: u32,
    /// The first differences, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub differences: Vec<ViewDifference>,
}

/// A call that two revisions answered differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViewDifference {
    /// The view.
    pub function: String,
    /// The first digits of its input.
    pub input: String,
    /// The height at which it was called.
    pub height: u32,
    /// The start of the serving revision's answer, or its error.
    pub active: String,
    /// The start of the candidate's.
    pub candidate: String,
}
