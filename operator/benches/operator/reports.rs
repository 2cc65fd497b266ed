//! (pure) What the pods report: heights that rest or move, while everything else moves as it does in a process at work.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    Phase, Revision,
    pod::{Check, Memory, Status, Store, Volume, module_reasons, source_reasons},
};

/// The module of all Indexers, as `support::indexer` declares it.
pub(crate) const MODULE: &str = "3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f3b1f";
/// Where pods are at rest.
const TIP: u32 = 900_000;
/// Where they begin to sync, and how far they lag behind each other in it.
const SYNC_FROM: u32 = 100_000;
const MIB: u64 = 1 << 20;
/// Resident memory and free room swing by so much: a little less than what the operator considers news.
const RESIDENT_SWING: u64 = 60 * MIB;
const FREE_SWING: u64 = 200 * MIB;

/// What all pods do.
pub(crate) struct Chain(Mutex<Motion>);

/// How heights move.
#[derive(Clone, Copy)]
enum Motion {
    /// All pods are at the tip, and there is no block.
    Rest,
    /// All pods index a block a second since this moment, and are far from the tip.
    Sync(Instant),
}

/// Whose report it is.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    /// `NAMESPACE/NAME`.
    pub(crate) indexer: String,
    pub(crate) revision: Revision,
    pub(crate) ordinal: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self(Mutex::new(Motion::Rest))
    }
}

impl Chain {
    /// From now on there is a block a second.
    pub(crate) fn sync(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Motion::Sync(Instant::now());
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.motion(), Motion::Rest)
    }

    /// What a pod reports, this long after it started.
    pub(crate) fn report(&self, of: &Reporter, age: Duration) -> Status {
        let (height, phase) = match self.motion() {
            Motion::Rest => (TIP, Phase::Following),
            Motion::Sync(since) => (syncing(of, since.elapsed()), Phase::Syncing),
        };
        let behind = TIP - height;
        let is_ready = behind == 0;
        // Another value at each request.
        let noise = noise(of.ordinal, age);
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            indexer: of.indexer.clone(),
            revision: of.revision.clone(),
            lineage: Vec::new(),
            seed: Check::default(),
            module_sha256: MODULE.into(),
            store_format: Some(crds::STORE_FORMAT),
            phase,
            ready: is_ready,
            height: Some(height),
            block_hash: Some(hash(height)),
            digest: Some(hash(height)),
            tip: Some(TIP),
            behind: Some(behind),
            blocks_per_second: (!is_ready).then(|| 1.0 + swing(noise, 0.2)),
            seconds_left: (!is_ready).then(|| u64::from(behind) + noise % 1_000),
            module: check(module_reasons::VERIFIED),
            source: check(source_reasons::FOLLOWING),
            memory: Memory {
                guest_bytes: 30 * MIB,
                guest_peak_bytes: 61 * MIB,
                guest_peak_height: Some(90),
                resident_bytes: 200 * MIB + noise % RESIDENT_SWING,
                threshold_bytes: 1024 * MIB,
                limit_bytes: 4096 * MIB,
                ..Memory::default()
            },
            store: Some(Store {
                rows: 300_000_000,
                disk_bytes: 20_000 * MIB + noise % FREE_SWING,
                runs: 9 + u32::try_from(noise % 3).unwrap(),
                merges_pending: u32::try_from(noise % 2).unwrap(),
                ..Store::default()
            }),
            volume: Some(Volume {
                capacity_bytes: 51_200 * MIB,
                free_bytes: 30_000 * MIB + noise % FREE_SWING,
                growth_per_day_bytes: Some(noise % FREE_SWING),
                days_left: Some(1_000.0 + swing(noise, 100.0)),
            }),
            snapshots: None,
            trouble: None,
            halt: None,
            last_refresh_request: None,
            block_under_way: None,
        }
    }

    fn motion(&self) -> Motion {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest of every pod at a height, which all of them have: hex without `0x`.
pub(crate) fn hash(height: u32) -> String {
    format!("{height:064x}")
}

/// Pods of one index are never at quite the same height.
fn syncing(of: &Reporter, since: Duration) -> u32 {
    let blocks = u32::try_from(since.as_secs()).unwrap();
    (SYNC_FROM + blocks).saturating_sub(of.ordinal)
}

fn check(reason: &str) -> Check {
    Check {
        ok: Some(true),
        reason: reason.into(),
        message: String::new(),
    }
}

/// A number that is another one at each moment and for each pod, the same every time (`SplitMix64`).
fn noise(ordinal: u32, age: Duration) -> u64 {
    let millis = u64::try_from(age.as_millis()).unwrap();
    let mut z = (millis << 8 | u64::from(ordinal)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Between zero and `width`.
fn swing(noise: u64, width: f64) -> f64 {
    f64::from(u32::try_from(noise % 1_000).unwrap()) / 1_000.0 * width
}
