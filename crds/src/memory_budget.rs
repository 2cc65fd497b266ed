//! How a pod's memory is divided, from the limits of a spec. The operator derives a container's resources from it, and
//! the indexer the bytes that queries may take: one function, so that the two never disagree.

use crate::pod::Views;

const MIB: u64 = 1 << 20;
/// What a pod needs beside the guest while nothing is unusual: the store's caches and write buffers, blocks in flight.
const WORKING_SET_BYTES: u64 = 512 * MIB;
/// What it needs at worst beside guest, queries and store: blocks in flight, which are bounded by 64 MiB of fetched ones
/// and 144 MiB of executed ones; a batch while it is written; buffers of a merge. Connections, threads and what the slots
/// of idle views keep are small beside it.
const BASE_BYTES: u64 = 320 * MIB;
/// What the store has unless `storage.cache` says otherwise. Filters and indexes take about 1.6 bytes a row
/// (`make bench-scale`): those of 360 million rows stay in memory.
const STORE_BYTES: u64 = 704 * MIB;
/// The least a store works with: filters that are not in memory are read from disk.
pub const STORE_BYTES_MIN: u64 = 64 * MIB;
/// The most that a local run takes of a machine's memory for its store, as a divisor, and in bytes: others use the
/// machine too, and beyond some size only the page cache gains.
const MACHINE_SHARE: u64 = 4;
const MACHINE_BYTES_MAX: u64 = 4096 * MIB;
/// Of the store's memory, what filters and indexes may take: without them each read asks the disk about each run. The
/// rest keeps the newest writes, which are read most.
const FILTERS_PERCENT: u64 = 80;
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
/// | request | `memory.threshold` + 512Mi, and what the store has beyond its default |
/// | limit | `memory.limit` + views + store + 320Mi |
/// | store | `storage.cache`, 704Mi by default |
/// | views | `memoryLimit` + `maxResponseBytes` + 1.5 × `maxRequestBytes` + 16Mi × `maxConcurrent` of `views` |
///
/// So one view may take all it is allowed, the request as it came and decoded, and its answer, while every other place
/// has 16Mi. Sums beyond 64 bits stay at the largest number.
#[must_use]
pub fn memory_budget(threshold_bytes: u64, limit_bytes: u64, views: &Views, cache_bytes: Option<u64>) -> MemoryBudget {
    let decoded_bytes = views.max_request_bytes.div_ceil(2);
    let views_bytes = views
        .memory_limit_bytes
        .saturating_add(views.max_response_bytes)
        .saturating_add(views.max_request_bytes)
        .saturating_add(decoded_bytes)
        .saturating_add(VIEW_SHARE_BYTES.saturating_mul(u64::from(views.max_concurrent)));
    let store_bytes = cache_bytes.unwrap_or(STORE_BYTES);
    MemoryBudget {
        request_bytes: threshold_bytes
            .saturating_add(WORKING_SET_BYTES)
            .saturating_add(store_bytes.saturating_sub(STORE_BYTES)),
        limit_bytes: limit_bytes
            .saturating_add(views_bytes)
            .saturating_add(store_bytes)
            .saturating_add(BASE_BYTES),
        views_bytes,
    }
}

/// Memory that a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessMemory {
    /// A control group's limit, which is its own.
    Limit(u64),
    /// A machine's, which it shares.
    Machine(u64),
}

/// Memory of a store, in bytes. The page cache is not in it: that takes what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreMemory {
    /// What filters and indexes of files may take.
    pub filters_bytes: u64,
    /// What is kept of the newest writes.
    pub kept_bytes: u64,
}

/// Divides what a process has: `storage.cache` goes to the store if it is given, else what guest, views and blocks in
/// flight leave of the limit. Of a machine that others use too, no more than a quarter and 4 GiB.
#[must_use]
pub fn store_memory(
    process: ProcessMemory,
    limit_bytes: u64,
    views_bytes: u64,
    cache_bytes: Option<u64>,
) -> StoreMemory {
    let left = |bytes: u64| {
        bytes
            .saturating_sub(limit_bytes)
            .saturating_sub(views_bytes)
            .saturating_sub(BASE_BYTES)
    };
    let derived = match process {
        ProcessMemory::Limit(bytes) => left(bytes),
        ProcessMemory::Machine(bytes) => left(bytes).min(bytes / MACHINE_SHARE).min(MACHINE_BYTES_MAX),
    };
    let bytes = cache_bytes.unwrap_or(derived.max(STORE_BYTES_MIN));
    let filters_bytes = bytes / 100 * FILTERS_PERCENT;
    StoreMemory {
        filters_bytes,
        kept_bytes: bytes - filters_bytes,
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
            None,
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
        let budget = memory_budget(u64::MAX, u64::MAX, &views, Some(u64::MAX));
        assert_eq!((budget.request_bytes, budget.limit_bytes), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_store_has_what_the_others_leave() {
        const GIB: u64 = 1024 * MIB;
        let (guest, views) = (4 * GIB, 1100 * MIB);
        // What the process has, `storage.cache`, and what filters and kept writes get together.
        let cases = [
            (
                ProcessMemory::Limit(guest + views + BASE_BYTES + STORE_BYTES),
                None,
                STORE_BYTES,
            ),
            (ProcessMemory::Limit(6 * GIB), None, 628 * MIB),
            (
                ProcessMemory::Limit(16 * GIB),
                None,
                16 * GIB - guest - views - BASE_BYTES,
            ),
            (ProcessMemory::Limit(GIB), None, 64 * MIB),
            (ProcessMemory::Limit(GIB), Some(2 * GIB), 2 * GIB),
            (ProcessMemory::Machine(8 * GIB), None, 2 * GIB),
            (ProcessMemory::Machine(64 * GIB), None, 4 * GIB),
            (ProcessMemory::Machine(4 * GIB), None, STORE_BYTES_MIN),
        ];
        for (process, cache, expected) in cases {
            let memory = store_memory(process, guest, views, cache);
            assert_eq!(
                memory.filters_bytes + memory.kept_bytes,
                expected,
                "{process:?}, {cache:?}"
            );
            assert_eq!(memory.filters_bytes, expected / 100 * FILTERS_PERCENT);
        }
    }
}
