//! Volumes in the status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Revision;

/// Claims that a status holds at most: 16 pods each of three revisions, and as many again of one that is gone. An object
/// must stay far below the 1.5 MB that the API server stores.
pub const CLAIM_ROWS_MAX: usize = 64;

/// The volumes of an Indexer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatus {
    /// Bytes that are not free on the file system of the pod with least room: of its data, and of whatever shares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Bytes that are free there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Bytes a day by which what is taken there grew over the last day, or since the pod started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_per_day_bytes: Option<u64>,
    /// Whole days until it is full at that pace; none if it does not grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_left: Option<u32>,
    /// Claims for volumes of all revisions, also of those that are gone; those in use first, and at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub claims: Vec<ClaimRow>,
}

/// A claim for a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRow {
    /// Its name.
    pub name: String,
    /// The revision whose data it holds.
    pub revision: Revision,
    /// The size that it asks for, as Kubernetes writes it.
    pub requested: String,
    /// The size of its volume; none until it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,
    /// Whether a pod of the Indexer has it. One that is not in use stays until it is deleted by hand.
    #[serde(default)]
    pub in_use: bool,
}
