//! Memory and refreshes in the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::ByteSize;

/// Memory, as reported by a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStatus {
    /// Linear memory of the guest after its last block, in bytes.
    #[serde(default)]
    pub guest_bytes: u64,
    /// The peak of the guest's linear memory since the pod started, in bytes.
    #[serde(default)]
    pub guest_peak_bytes: u64,
    /// The height at which it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_peak_height: Option<u32>,
    /// Resident memory of the whole process, in bytes.
    #[serde(default)]
    pub resident_bytes: u64,
    /// The threshold in force, in bytes.
    #[serde(default)]
    pub threshold_bytes: u64,
    /// The limit in force, in bytes.
    #[serde(default)]
    pub limit_bytes: u64,
    /// Peak and threshold in one short text, for the table view: `61Mi/64Mi`.
    #[serde(default)]
    pub peak_of_threshold: String,
    /// Refreshes since the pod started, by reason.
    #[serde(default)]
    pub refreshes: Refreshes,
    /// The sum of them.
    #[serde(default)]
    pub refreshes_total: u64,
    /// The last refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refresh: Option<LastRefresh>,
    /// What the container of each pod should have, as far as was seen; none while too little was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<MemoryRecommendation>,
}

/// Memory that a container should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryRecommendation {
    /// What it should request.
    pub request: ByteSize,
    /// What it should have at most.
    pub limit: ByteSize,
    /// What was observed, where, and what was added to it, as it was when the figures changed last.
    pub reason: String,
}

/// Counts of refreshes, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Refreshes {
    /// `EveryBlock`: a fresh instance for a block.
    pub block: u64,
    /// The previous instance had reached the threshold.
    pub threshold: u64,
    /// A block had failed.
    pub failure: u64,
    /// Requested by a user.
    pub manual: u64,
    /// Blocks had been undone.
    pub unwind: u64,
}

/// Why an instance was replaced by a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RefreshReason {
    /// `EveryBlock`: a fresh instance for a block.
    Block,
    /// The previous instance had reached the threshold.
    Threshold,
    /// A block had failed.
    Failure,
    /// Requested by a user.
    Manual,
    /// Blocks had been undone.
    Unwind,
}

/// The last refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRefresh {
    /// Why.
    pub reason: RefreshReason,
    /// The block the fresh instance was made for.
    #[serde(default)]
    pub height: u32,
    /// When.
    pub time: Time,
}

impl LastRefresh {
    /// A refresh of this moment.
    #[must_use]
    pub fn now(reason: RefreshReason, height: u32) -> Self {
        Self {
            reason,
            height,
            time: Time(k8s_openapi::jiff::Timestamp::now()),
        }
    }
}

impl Refreshes {
    /// The sum over all reasons, at most the highest number there is.
    #[must_use]
    pub fn total(&self) -> u64 {
        let all = [self.block, self.threshold, self.failure, self.manual, self.unwind];
        all.into_iter().fold(0, u64::saturating_add)
    }

    /// The counter of one reason.
    pub fn of(&mut self, reason: RefreshReason) -> &mut u64 {
        match reason {
            RefreshReason::Block => &mut self.block,
            RefreshReason::Threshold => &mut self.threshold,
            RefreshReason::Failure => &mut self.failure,
            RefreshReason::Manual => &mut self.manual,
            RefreshReason::Unwind => &mut self.unwind,
        }
    }
}

impl RefreshReason {
    /// Every reason, in the order of the fields of [`Refreshes`].
    pub const ALL: [Self; 5] = [Self::Block, Self::Threshold, Self::Failure, Self::Manual, Self::Unwind];

    /// As a metric label: lower case.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Threshold => "threshold",
            Self::Failure => "failure",
            Self::Manual => "manual",
            Self::Unwind => "unwind",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_pod_add_up_to_at_most_the_highest_number() {
        let (mut few, mut many) = (Refreshes::default(), Refreshes::default());
        for reason in RefreshReason::ALL {
            *few.of(reason) = 2;
            *many.of(reason) = u64::MAX - 1;
        }
        assert_eq!((few.total(), many.total()), (10, u64::MAX));
    }
}
