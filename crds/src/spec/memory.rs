//! `spec.memory`: how much memory the guest may use, and when it is replaced by a fresh instance.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::ByteSize;

/// The guest's memory. All figures refer to its linear memory, not to the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("quantity(self.threshold).compareTo(quantity(self.limit)) <= 0").message("memory.threshold must not exceed memory.limit"))]
#[x_kube(validation = Rule::new("!has(self.resize) || self.resize != 'InPlace' || has(self.maxLimit)").message("memory.maxLimit must be set with memory.resize InPlace"))]
#[serde(rename_all = "camelCase")]
pub struct MemorySpec {
    /// A guest whose memory has reached this size is replaced by a fresh instance before the next block.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('64Ki')) >= 0").message("memory.threshold must be at least 64Ki, one page"))]
    #[serde(default = "MemorySpec::default_threshold")]
    pub threshold: ByteSize,
    /// When a fresh instance is created.
    #[serde(default = "MemorySpec::default_refresh")]
    pub refresh: RefreshPolicy,
    /// The maximum memory of a guest: `memory.grow` beyond it is refused. Part of the index's identity.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('4Gi')) <= 0").message("memory.limit must be at most 4Gi, all that a 32-bit guest can address"))]
    #[serde(default = "MemorySpec::default_limit")]
    pub limit: ByteSize,
    /// With `OnThreshold`, blocks at heights divisible by this are also run in a fresh instance, which must write the
    /// same rows, or the index halts: the guest carries state from block to block. 0 means never. `EveryBlock` needs no
    /// audit.
    #[serde(default = "MemorySpec::default_audit_every")]
    #[schemars(range(max = 1_000_000))]
    pub audit_every: u32,
    /// Whether running pods get the memory that `status.memory.recommendation` names.
    #[serde(default = "MemorySpec::default_resize", skip_serializing_if = "ResizePolicy::is_off")]
    pub resize: ResizePolicy,
    /// With `InPlace`, the most memory that a container gets as its limit.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('128Mi')) >= 0").message("memory.maxLimit must be at least 128Mi"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_limit: Option<ByteSize>,
}

/// Whether the operator changes the memory of pods by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResizePolicy {
    /// Pods have what `resources` gives, or what is derived.
    #[default]
    Off,
    /// Pods begin with that and get what is recommended, up to `maxLimit`, without a restart where the cluster can.
    InPlace,
}

impl ResizePolicy {
    /// Off is not written: the bare word is a boolean to many readers of YAML.
    #[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
    fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// When a fresh instance of the guest is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RefreshPolicy {
    /// Before every block: no state can be carried between blocks, so the index depends on the chain alone.
    #[default]
    EveryBlock,
    /// Before a block once memory has reached the threshold; after a failure, an unwind or a request; at start.
    OnThreshold,
}

// 1.75 GiB of the 2 GiB that AssemblyScript guests declare as their maximum; all of 32 bits as the limit.
defaults!(MemorySpec {
    default_threshold, threshold: ByteSize = ByteSize::mebibytes(1792);
    default_refresh, refresh: RefreshPolicy = RefreshPolicy::EveryBlock;
    default_limit, limit: ByteSize = ByteSize("4Gi".into());
    default_audit_every, audit_every: u32 = 1000;
    default_resize, resize: ResizePolicy = ResizePolicy::Off;
    default_max_limit, max_limit: Option<ByteSize> = None;
});
