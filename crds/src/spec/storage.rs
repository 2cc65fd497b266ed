//! `spec.storage`: the volume of each pod.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::ByteSize;

/// The volume of each pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Its size. It can be raised at any time; where volumes are larger than it says, they stay so.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Mi')) >= 0").message("storage.size must be at least 64Mi"))]
    #[serde(default = "StorageSpec::default_size")]
    pub size: ByteSize,
    /// Its storage class; defaults to the cluster's default class.
    #[serde(
        default = "StorageSpec::default_storage_class_name",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// Memory of the store: filters and indexes, which tell where a key is, and the newest writes. It follows from the
    /// memory that the pod has by default, and that from it: see the reference.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Mi')) >= 0").message("storage.cache must be at least 64Mi"))]
    #[serde(default = "StorageSpec::default_cache", skip_serializing_if = "Option::is_none")]
    pub cache: Option<ByteSize>,
    /// What happens to the volumes when the Indexer, or the revision they belong to, is deleted.
    #[serde(default = "StorageSpec::default_retention")]
    pub retention: Retention,
}

/// What happens to volumes that are no longer used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Retention {
    /// They are kept until deleted by hand.
    #[default]
    Retain,
    /// They are deleted.
    Delete,
}

defaults!(StorageSpec {
    default_size, size: ByteSize = ByteSize("50Gi".into());
    default_storage_class_name, storage_class_name: Option<String> = None;
    default_cache, cache: Option<ByteSize> = None;
    default_retention, retention: Retention = Retention::Retain;
});
