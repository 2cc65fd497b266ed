//! The block a pod is running right now.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

/// A block that is being run. Blocks have no time limit, so this is how one that never ends becomes visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockUnderWay {
    /// Its height.
    pub height: u32,
    /// Its hash, in display order.
    pub block_hash: String,
    /// What kind of run it is.
    pub run: BlockRun,
    /// The number of this run among those of its kind, from 1: the second retry has 2.
    pub attempt: u32,
    /// When the run began, by the clock of the pod.
    pub since: Time,
    /// How long it has taken so far, in whole seconds. Counted by the pod, so that no other clock matters.
    pub seconds: u64,
}

/// Kinds of runs of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockRun {
    /// The run every block gets.
    First,
    /// Another one, on a fresh instance, after the guest failed.
    Retry,
    /// A second one, on a fresh instance, to compare what both wrote.
    Audit,
}

impl BlockUnderWay {
    /// A run that begins at this moment.
    #[must_use]
    pub fn now(height: u32, block_hash: String, run: BlockRun, attempt: u32) -> Self {
        Self {
            height,
            block_hash,
            run,
            attempt,
            since: Time(k8s_openapi::jiff::Timestamp::now()),
            seconds: 0,
        }
    }

    /// Which run it is, in words: `first run`, `retry 2`, `audit`.
    #[must_use]
    pub fn run_in_words(&self) -> String {
        match self.run {
            BlockRun::First => "first run".into(),
            BlockRun::Retry => format!("retry {}", self.attempt),
            BlockRun::Audit => "audit".into(),
        }
    }
}
