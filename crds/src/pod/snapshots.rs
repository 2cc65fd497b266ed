//! What the configuration of a pod says of snapshots.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::SnapshotVerify;

/// A snapshot with which an empty store begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// Its URL, `PREFIX/HEIGHT`.
    pub url: String,
    /// SHA-256 of its manifest, 64 lowercase hex digits; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
    /// How far it is checked.
    #[serde(default)]
    pub verify: SnapshotVerify,
    /// How the storage is contacted.
    #[serde(default)]
    pub storage: ObjectStorage,
}

/// Where and how often snapshots are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publishing {
    /// The prefix.
    pub url: String,
    /// At heights divisible by this; at least 1.
    pub every_blocks: u32,
    /// So many of a revision stay; at least 1.
    pub keep: u32,
    /// The most bytes a second that are uploaded; none: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// The name of the host that publishes, of several with the same configuration; none: whichever this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A file that says `true` while the data serves clients, and is looked at before each snapshot: so a rollout, which
    /// changes it, needs no new process. None: it always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves_file: Option<PathBuf>,
    /// How the storage is contacted.
    #[serde(default)]
    pub storage: ObjectStorage,
}

/// How an object storage is contacted, beyond a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectStorage {
    /// Base URL of an S3 server that is not Amazon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region of a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether a server may be contacted without TLS.
    pub allow_http: bool,
    /// The folder with the files `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one,
    /// `AWS_SESSION_TOKEN`, read for each snapshot. None: variables of these names, or the machine's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_dir: Option<PathBuf>,
}
