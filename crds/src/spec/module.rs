//! `spec.module`: where the guest's code comes from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::secret::SecretRef;

/// Where the module's bytes come from: exactly one of `configMap`, `http`, `oci` and `path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.http), has(self.oci), has(self.path)].exists_one(given, given)").message("exactly one of module.configMap, module.http, module.oci and module.path must be given"))]
#[serde(rename_all = "camelCase")]
pub struct ModuleSpec {
    /// SHA-256 of the module, 64 lowercase hex digits. A module with another digest is never run.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// A key of `binaryData` in a `ConfigMap` in the same namespace; at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A file on a web server, fetched once and kept on each pod's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpModule>,
    /// An artifact in a container registry, fetched once and kept on each pod's volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciModule>,
    /// A local file, for `shrewd-indexer run --manifest` only: pods cannot access it, so the operator rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
}

/// A file on a web server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct HttpModule {
    /// Its URL. At most 5 redirects are followed, none of them from https to http. At most 256 MiB are read.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^@/?# ]+(/[^# ]*)?$')").message("module.http.url must read http(s)://host[:port]/path, without credentials"))]
    pub url: String,
}

/// An artifact in a container registry with one layer, the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciModule {
    /// `REGISTRY/REPOSITORY@sha256:DIGEST` of its manifest. The layer's digest is `module.sha256`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[a-zA-Z0-9._-]+)?@sha256:[0-9a-f]{64}$')").message("module.oci.image must read registry/repository@sha256:digest"))]
    pub image: String,
    /// A Secret of type `kubernetes.io/dockerconfigjson` in the same namespace. Without it, the registry is accessed
    /// anonymously.
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
