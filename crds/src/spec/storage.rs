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
    /// Lets the volumes grow by themselves, beyond `size`; without it they do not. It needs a storage class that lets them.
    #[serde(default = "StorageSpec::default_auto_grow", skip_serializing_if = "Option::is_none")]
    pub auto_grow: Option<AutoGrowSpec>,
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

/// When volumes grow by themselves, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoGrowSpec {
    /// The largest size they get.
    pub max_size: ByteSize,
    /// They grow when less than this share of one of them is free, in percent.
    #[serde(default = "AutoGrowSpec::default_free_percent")]
    #[schemars(range(min = 1, max = 90))]
    pub free_percent: u8,
    /// They grow by this share of their size, in percent.
    #[serde(default = "AutoGrowSpec::default_step_percent")]
    #[schemars(range(min = 5, max = 100))]
    pub step_percent: u8,
}

impl AutoGrowSpec {
    fn default_free_percent() -> u8 {
        15
    }

    fn default_step_percent() -> u8 {
        25
    }
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
    default_auto_grow, auto_grow: Option<AutoGrowSpec> = None;
    default_storage_class_name, storage_class_name: Option<String> = None;
    default_cache, cache: Option<ByteSize> = None;
    default_retention, retention: Retention = Retention::Retain;
});
