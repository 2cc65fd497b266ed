//! `spec.rollout`: how a new identity takes over from the serving one.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::TimeSpan;

/// The default of `rollout.maxBehind`: how many blocks behind the tip an index may be and still count as caught up.
/// Two, so that a block just announced, and one that follows it at once, do not take a pod out of the Service.
pub const MAX_BEHIND: u32 = 2;

/// What happens when the identity changes: another module, start height or memory limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.seed) || self.strategy == 'BlueGreen'").message("rollout.seed needs strategy BlueGreen: InPlace has the data already"))]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// Whether the new identity builds its index next to the serving revision, or on its data.
    #[serde(default = "RolloutSpec::default_strategy")]
    pub strategy: RolloutStrategy,
    /// A candidate that is at most this many blocks behind the chain's tip has caught up.
    #[serde(default = "RolloutSpec::default_max_behind")]
    #[schemars(range(max = 10_000))]
    pub max_behind: u32,
    /// How long a candidate must have been caught up and healthy without interruption before clients are moved to it.
    /// Only time in which the operator was watching counts.
    #[serde(default = "RolloutSpec::default_soak")]
    pub soak: TimeSpan,
    /// A candidate that indexes no block for this long, although there are blocks to index, has failed, and the
    /// resource is stalled.
    #[serde(default = "RolloutSpec::default_progress_deadline")]
    pub progress_deadline: TimeSpan,
    /// How long the pods of the previous revision are kept after clients were moved, for an instant rollback.
    #[serde(default = "RolloutSpec::default_keep_previous")]
    pub keep_previous: TimeSpan,
    /// Clients are not moved before the chain's tip has reached this height; for network upgrades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2_000_000_000))]
    pub activate_at: Option<u32>,
    /// Views that both revisions must answer before clients are moved; the answers are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub compare_views: Vec<CompareView>,
    /// What happens when answers differ.
    #[serde(default = "RolloutSpec::default_on_difference")]
    pub on_difference: OnDifference,
    /// Where a candidate's data comes from; if not set, it is built from scratch. For identities that differ only in
    /// the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<SeedSpec>,
}

/// Where a new identity builds its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RolloutStrategy {
    /// A candidate with pods and volumes of its own builds the whole index; clients are moved when it has caught up.
    #[default]
    BlueGreen,
    /// The new module continues with the same data at the next height.
    InPlace,
}

/// What happens when two revisions answer a view differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDifference {
    /// The status lists the differences, and clients are moved.
    #[default]
    Report,
    /// The status lists the differences, and clients are not moved.
    Block,
}

/// A view to be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompareView {
    /// Name of the view.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_.-]*$"))]
    pub function: String,
    /// Its input, as hex with a `0x` prefix.
    #[serde(default = "no_input")]
    #[schemars(length(min = 2, max = 8192), regex(pattern = r"^0x([0-9a-f]{2})*$"))]
    pub input: String,
    /// The heights to compare at; none: the newest height that both revisions have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(max = 2_000_000_000)))]
    pub heights: Vec<u32>,
}

/// Where a candidate's data comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeedSpec {
    /// A copy of the revision that serves when the candidate is created.
    pub from_active: FromActive,
}

/// A copy of the serving revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromActive {
    /// The last height taken over; the candidate's module runs from the next one on.
    #[schemars(range(max = 2_000_000_000))]
    pub at_height: u32,
}

defaults!(RolloutSpec {
    default_strategy, strategy: RolloutStrategy = RolloutStrategy::BlueGreen;
    default_max_behind, max_behind: u32 = MAX_BEHIND;
    default_soak, soak: TimeSpan = TimeSpan("1m".into());
    default_progress_deadline, progress_deadline: TimeSpan = TimeSpan("10m".into());
    default_keep_previous, keep_previous: TimeSpan = TimeSpan("1h".into());
    default_activate_at, activate_at: Option<u32> = None;
    default_compare_views, compare_views: Vec<CompareView> = Vec::new();
    default_on_difference, on_difference: OnDifference = OnDifference::Report;
    default_seed, seed: Option<SeedSpec> = None;
});

fn no_input() -> String {
    "0x".into()
}
