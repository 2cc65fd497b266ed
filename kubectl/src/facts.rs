//! (pure) The facts that `status` shows, as a document.

use crds::{
    ActiveRevision, CandidateRevision, ClaimRow, MemoryRecommendation, MemoryStatus, PodRow, PreviousRevision,
    SnapshotsStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::Serialize;

use crate::{read::Seen, units, waiting};

/// Everything that is known of an Indexer from its resource alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The network that it indexes.
    pub network: String,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// Where clients reach it in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What it waits for, in words.
    pub waits_for: String,
    /// Revisions: the one that serves, the one that is declared if it is another, the one kept for a rollback.
    pub revisions: Vec<RevisionFacts>,
    /// Memory of the pod whose guest uses most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryFacts>,
    /// Its volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskFacts>,
    /// Snapshots that it publishes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotsStatus>,
    /// Its pods.
    pub pods: Vec<PodRow>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// What the status has in a form that this version does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// One revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionFacts {
    /// Its name, ten hex digits.
    pub revision: String,
    /// `active`, `candidate` or `previous`.
    pub role: &'static str,
    /// SHA-256 of its module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_sha256: Option<String>,
    /// Its last indexed block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Blocks that it lacks up to the tip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
    /// Blocks that it indexes in a second, while it catches up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_per_second: Option<String>,
    /// How long it takes to reach the tip at that pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_left: Option<String>,
    /// Of a candidate: since when it has been caught up and healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
    /// Of the previous one: when its pods are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// The guest's memory, in bytes, and its shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryFacts {
    /// As the status has it.
    #[serde(flatten)]
    pub status: MemoryStatus,
    /// The guest's memory in percent of the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_threshold: Option<u64>,
    /// In percent of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_limit: Option<u64>,
}

/// The disk of the pod with least room, in bytes, and all claims.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskFacts {
    /// Bytes that are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Bytes that are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Bytes a day by which it grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_day_bytes: Option<u64>,
    /// Days until it is full at that pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<u32>,
    /// Claims for volumes.
    pub claims: Vec<ClaimRow>,
}

impl Facts {
    /// The facts of a resource.
    #[must_use]
    pub fn of(seen: &Seen) -> Self {
        let indexer = &seen.indexer;
        let status = indexer.status.clone().unwrap_or_default();
        Self {
            name: indexer.metadata.name.clone().unwrap_or_default(),
            namespace: indexer.metadata.namespace.clone().unwrap_or_default(),
            network: indexer.spec.chain.network.to_string(),
            created: indexer.metadata.creation_timestamp.clone(),
            endpoint: status.endpoint,
            waits_for: waiting::waits_for(indexer),
            revisions: revisions(status.active, status.candidate, status.previous),
            memory: status.memory.map(MemoryFacts::of),
            disk: status.storage.map(|storage| DiskFacts {
                used_bytes: storage.used_bytes,
                free_bytes: storage.free_bytes,
                growth_per_day_bytes: storage.growth_per_day_bytes,
                days_left: storage.days_left,
                claims: storage.claims,
            }),
            snapshots: status.snapshots,
            pods: status.pods,
            conditions: status.conditions,
            unread: seen.unread.clone(),
        }
    }

    /// What containers should have, as far as was seen.
    #[must_use]
    pub fn recommendation(&self) -> Option<&MemoryRecommendation> {
        self.memory.as_ref()?.status.recommendation.as_ref()
    }
}

impl MemoryFacts {
    fn of(status: MemoryStatus) -> Self {
        Self {
            percent_of_threshold: units::percent(status.guest_bytes, status.threshold_bytes),
            percent_of_limit: units::percent(status.guest_bytes, status.limit_bytes),
            status,
        }
    }
}

fn revisions(
    active: Option<ActiveRevision>,
    candidate: Option<CandidateRevision>,
    previous: Option<PreviousRevision>,
) -> Vec<RevisionFacts> {
    let active = active.map(|active| RevisionFacts {
        revision: active.revision.to_string(),
        role: "active",
        module_sha256: Some(active.module_sha256),
        height: active.height,
        behind: active.behind,
        blocks_per_second: active.blocks_per_second,
        time_left: active.time_left,
        ..RevisionFacts::default()
    });
    let candidate = candidate.map(|candidate| RevisionFacts {
        revision: candidate.revision.to_string(),
        role: "candidate",
        module_sha256: Some(candidate.module_sha256),
        height: candidate.height,
        behind: candidate.behind,
        blocks_per_second: candidate.blocks_per_second,
        time_left: candidate.time_left,
        healthy_since: candidate.healthy_since,
        until: None,
    });
    let previous = previous.map(|previous| RevisionFacts {
        revision: previous.revision.to_string(),
        role: "previous",
        until: Some(previous.until),
        ..RevisionFacts::default()
    });
    active.into_iter().chain(candidate).chain(previous).collect()
}
