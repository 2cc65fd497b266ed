//! `spec.bootstrap` and `spec.snapshots`: copies of an index in an object storage, to begin with and to publish.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{quantity::ByteSize, spec::secret::SecretRef};

/// How an empty volume begins, where no other pod of the revision has a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootstrapSpec {
    /// With this snapshot. It must be of the declared module, network, first height and memory limit.
    pub snapshot: BootstrapSnapshotSpec,
}

/// A snapshot to begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.allowHttp || !(self.url.startsWith('http://') || has(self.endpoint) && self.endpoint.startsWith('http://'))").message("bootstrap.snapshot: http:// has no TLS: use https://, or set allowHttp"))]
#[serde(rename_all = "camelCase")]
pub struct BootstrapSnapshotSpec {
    /// Its URL: `s3://BUCKET/PREFIX/HEIGHT`, or `https://HOST/PREFIX/HEIGHT` of a web server. `file:///` is for local
    /// runs only.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^((s3|https?)://[^@/?# ]+|file://)/([^?# ]*/)?[0-9]+(-[0-9a-f]{10})?/?$')").message("bootstrap.snapshot.url must read s3://BUCKET/PREFIX/HEIGHT or https://HOST/PREFIX/HEIGHT, without credentials"))]
    pub url: String,
    /// SHA-256 of its manifest, which pins every byte of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub manifest_sha256: Option<String>,
    /// How far it is checked before it is used.
    #[serde(default)]
    pub verify: SnapshotVerify,
    /// A Secret in the same namespace with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one,
    /// `AWS_SESSION_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<SecretRef>,
    /// Base URL of an S3 server that is not Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^@/?# ]+/?$')").message("bootstrap.snapshot.endpoint must read http(s)://host[:port]"))]
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Whether a server may be contacted without TLS: for tests and private networks.
    #[serde(default)]
    pub allow_http: bool,
}

/// How far a snapshot is checked before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnapshotVerify {
    /// Every file is the one that the manifest names.
    #[default]
    Files,
    /// Also every digest is computed once more from the rows, which takes a scan of them.
    Digests,
}

/// Snapshots that are published while blocks are indexed, by one pod of the revision that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.allowHttp || !(has(self.endpoint) && self.endpoint.startsWith('http://'))").message("snapshots: http:// has no TLS: use https://, or set allowHttp"))]
#[serde(rename_all = "camelCase")]
pub struct SnapshotsSpec {
    /// Where they go: `s3://BUCKET/PREFIX`. Indexes may share a prefix. `file:///` is for local runs only.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^(s3://[^@/?# ]+(/[^?# ]*)?|file:///[^?# ]*)$')").message("snapshots.url must read s3://BUCKET/PREFIX, without credentials: a web server is only read from"))]
    pub url: String,
    /// One is published at heights divisible by this, or as soon after as the one before is done.
    #[serde(default = "SnapshotsSpec::default_every_blocks")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub every_blocks: u32,
    /// The number of snapshots of a revision that stay.
    #[serde(default = "SnapshotsSpec::default_keep")]
    #[schemars(range(min = 1, max = 1_000))]
    pub keep: u32,
    /// The most bytes a second that are uploaded; without it there is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Ki')) >= 0").message("snapshots.bandwidth must be at least 64Ki"))]
    pub bandwidth: Option<ByteSize>,
    /// A Secret in the same namespace with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one,
    /// `AWS_SESSION_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<SecretRef>,
    /// Base URL of an S3 server that is not Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^@/?# ]+/?$')").message("snapshots.endpoint must read http(s)://host[:port]"))]
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Whether a server may be contacted without TLS: for tests and private networks.
    #[serde(default)]
    pub allow_http: bool,
}

impl SnapshotsSpec {
    /// A week of blocks.
    fn default_every_blocks() -> u32 {
        1_000
    }

    fn default_keep() -> u32 {
        3
    }
}
