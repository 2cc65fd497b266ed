//! Snapshots in the status.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Snapshots that are published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotsStatus {
    /// The last one that is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<LatestSnapshot>,
    /// The one that is being published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underway: Option<SnapshotUnderway>,
}

/// A snapshot that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatestSnapshot {
    /// Height of its newest block.
    pub height: u32,
    /// Hash of that block, in display order.
    pub block_hash: String,
    /// Digest of the index at that height.
    pub digest: String,
    /// Its URL, which `bootstrap.snapshot.url` takes.
    pub url: String,
    /// SHA-256 of its manifest, which pins every byte of it.
    pub manifest_sha256: String,
    /// Bytes of all its files, of which most are shared with the snapshot before.
    pub bytes: u64,
    /// When it was seen to be whole.
    pub time: Time,
}

impl LatestSnapshot {
    /// This moment, for `time`.
    #[must_use]
    pub fn now() -> Time {
        Time(Timestamp::now())
    }
}

/// A snapshot that is being published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotUnderway {
    /// Height of its newest block.
    pub height: u32,
    /// Bytes uploaded.
    pub done_bytes: u64,
    /// Bytes to upload: those of files that are not in the storage. Unknown, and 0, until files are hashed.
    pub total_bytes: u64,
}
