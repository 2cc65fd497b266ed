//! One pod in the status.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Revision;

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// Its unique id: a pod is known by it while no `StatefulSet` owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The revision it runs.
    pub revision: Revision,
    /// What it reports to be doing; `Unknown` when it does not answer.
    #[serde(default)]
    pub phase: Phase,
    /// Height of its last block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Linear memory of its guest, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_bytes: Option<u64>,
    /// Resident memory of its process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// Restarts of its container, as counted by Kubernetes.
    #[serde(default)]
    pub restarts: i32,
    /// What is wrong with it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a pod is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It does not answer.
    #[default]
    Unknown,
    /// It is opening its store and compiling its module.
    Starting,
    /// Its module is missing, has another digest or cannot be used; it retries by itself.
    ModuleInvalid,
    /// Its chain source cannot be used; it retries by itself.
    WaitingForSource,
    /// It is indexing towards the tip.
    Syncing,
    /// It is at the tip and follows it.
    Following,
    /// It has indexed the last block that `chain.stopHeight` allows, and stays there.
    AtStopHeight,
    /// It stopped below a block; everything below it is still served.
    Halted,
    /// It is shutting down.
    Stopping,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
