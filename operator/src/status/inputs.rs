//! The inputs of a status.

use crds::{Comparison, IndexerStatus, MemoryRecommendation, Revision};
use k8s_openapi::jiff::Timestamp;

use crate::{
    facts::Observed,
    memory::{Memories, ResizeRefusal},
    rollout::Decision,
    storage::Refusal,
    validate::{Invalid, ValidIndexer},
};

/// How applying the plan went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The refused call, if there was one.
    pub failure: Option<Failure>,
    /// Whether anything was applied, pruned or replaced, so that more is to come.
    pub changed: bool,
    /// The revisions whose `StatefulSet` is among it: none of their pods is known to run the newest template then.
    pub sets_changed: Vec<Revision>,
    /// Claims for volumes that were to grow and were refused.
    pub refusals: Vec<Refusal>,
    /// Pods that were to get other memory and were refused.
    pub resize_refusals: Vec<ResizeRefusal>,
    /// Why the pod that is to go next stays for now.
    pub held_back: Option<String>,
}

/// A refused API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The revision whose object it was; none for what serves all of them.
    pub revision: Option<Revision>,
    /// The server's explanation.
    pub message: String,
    /// Whether retrying cannot help.
    pub needs_change: bool,
}

/// Everything a status is computed from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Namespace of the resource.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The generation of the spec that was looked at.
    pub generation: i64,
    /// What validation said.
    pub outcome: Result<&'a ValidIndexer, &'a Invalid>,
    /// What was observed.
    pub observed: &'a Observed,
    /// What was decided about revisions; none for a spec that is not valid.
    pub decision: Option<&'a Decision>,
    /// How candidate and serving revision answered the same views, if they were compared.
    pub comparison: Option<&'a Comparison>,
    /// What the containers of the serving revision should have of memory, as far as was seen.
    pub recommendation: Option<&'a MemoryRecommendation>,
    /// What containers are given of it, where the operator decides.
    pub memories: &'a Memories,
    /// How applying went.
    pub applied: &'a Applied,
    /// The status as it was written last.
    pub last_status: Option<&'a IndexerStatus>,
    /// Now, for conditions that change.
    pub now: Timestamp,
}
