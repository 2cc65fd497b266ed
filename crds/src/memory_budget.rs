//! How a pod's memory is divided, from the limits of a spec. The operator derives a container's resources from it, and
//! the indexer the bytes that queries may take: one function, so that the two never disagree.

use crate::pod::Views;

const MIB: u64 = 1 << 20;
/// What a pod needs beside the guest while nothing is unusual: the store's caches and write buffers, blocks in flight.
const WORKING_SET_BYTES: u64 = 512 * MIB;
/// What it may need at worst beside guest and queries: the working set twice, for compactions and a burst of blocks.
/// Connections, threads and what the slots of idle views keep are small beside it.
const HEADROOM_BYTES: u64 = 1024 * MIB;
/// What every view that may run has beside the one that takes its whole limit. Guests of indexers in use start with 1
/// to 16 MiB.
const VIEW_SHARE_BYTES: u64 = 16 * MIB;

/// Memory of one pod, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// What its container requests.
    pub request_bytes: u64,
    /// What its container may have at most.
    pub limit_bytes: u64,
    /// What all guests of views and previews, request bodies and answers may take together.
    pub views_bytes: u64,
}

/// Divides a pod's memory:
///
/// | | |
/// |---|---|
/// | request | `memory.threshold` + 512Mi |
/// | limit | `memory.limit` + views + 1Gi |
/// | views | `memoryLimit` + `maxResponseBytes` + 1.5 × `maxRequestBytes` + 16Mi × `maxConcurrent` of `views` |
///
/// So one view may take all it is allowed, the request as it came and decoded, and its answer, while every other place
/// has 16Mi. Sums beyond 64 bits stay at the largest number.
#[must_use]
pub fn memory_budget(threshold_bytes: u64, limit_bytes: u64, views: &Views) -> MemoryBudget {
    let decoded_bytes = views.max_request_bytes.div_ceil(2);
    let views_bytes = views
        .memory_limit_bytes
        .saturating_add(views.max_response_bytes)
        .saturating_add(views.max_request_bytes)
        .saturating_add(decoded_bytes)
        .saturating_add(VIEW_SHARE_BYTES.saturating_mul(u64::from(views.max_concurrent)));
    MemoryBudget {
        request_bytes: threshold_bytes.saturating_add(WORKING_SET_BYTES),
        limit_bytes: limit_bytes.saturating_add(views_bytes).saturating_add(HEADROOM_BYTES),
        views_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IndexerSpec, resolve};

    #[test]
    fn a_default_pod_has_room_for_a_view_at_its_limit_beside_all_others() {
        let spec: IndexerSpec = serde_json::from_value(serde_json::json!({
            "module": { "sha256": "ab".repeat(32), "path": "module.wasm" },
            "chain": { "network": "regtest", "source": { "bitcoind": { "urls": ["http://node:8332"] } } },
        }))
        .unwrap();
        let resolved = resolve(&spec).unwrap();
        let budget = memory_budget(
            resolved.threshold_bytes,
            resolved.identity.memory_limit_bytes,
            &resolved.views,
        );
        assert_eq!(budget.request_bytes, 2304 * MIB);
        assert_eq!(budget.views_bytes, (512 + 64 + 12 + 32 * 16) * MIB);
        assert_eq!(budget.limit_bytes, 4096 * MIB + budget.views_bytes + 1024 * MIB);
    }

    #[test]
    fn the_largest_numbers_overflow_nothing() {
        let views = Views {
            max_concurrent: u32::MAX,
            timeout_ms: u64::MAX,
            memory_limit_bytes: u64::MAX,
            max_request_bytes: u64::MAX,
            max_response_bytes: u64::MAX,
        };
        let budget = memory_budget(u64::MAX, u64::MAX, &views);
        assert_eq!((budget.request_bytes, budget.limit_bytes), (u64::MAX, u64::MAX));
    }
}
