//! What a pod reports at [`STATUS_PATH`](crate::pod::STATUS_PATH).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::{
    identity::Revision,
    pod::BlockUnderWay,
    status::{LastRefresh, LatestSnapshot, LineageStep, Phase, Refreshes, SnapshotUnderway},
};

/// What a pod reports, as JSON at `/status` of its ops port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// `NAMESPACE/NAME` of the resource, or the label of a local run.
    pub indexer: String,
    /// The name of its data: [`Config::data_revision`](crate::pod::Config::data_revision), else the revision of its
    /// identity.
    pub revision: Revision,
    /// The modules that built its data, oldest first, where there was more than one; at most the newest 16.
    #[serde(default)]
    pub lineage: Vec<LineageStep>,
    /// How far an empty store has been filled with a copy or a snapshot; unknown if none is configured.
    #[serde(default)]
    pub seed: Check,
    /// SHA-256 of its module.
    #[serde(default)]
    pub module_sha256: String,
    /// The format of its store; unknown until that is open.
    #[serde(default)]
    pub store_format: Option<u32>,
    /// What it does right now.
    #[serde(default)]
    pub phase: Phase,
    /// Whether it may serve clients: caught up, its view of the tip up to date, not halted.
    #[serde(default)]
    pub ready: bool,
    /// Height of the last block committed.
    #[serde(default)]
    pub height: Option<u32>,
    /// Its hash, in display order.
    #[serde(default)]
    pub block_hash: Option<String>,
    /// Digest of the index at that height, hex.
    #[serde(default)]
    pub digest: Option<String>,
    /// The node's tip, when it last answered.
    #[serde(default)]
    pub tip: Option<u32>,
    /// `tip - height`; none until both are known.
    #[serde(default)]
    pub behind: Option<u32>,
    /// Blocks indexed per second, averaged over about the last half a minute; none unless it is catching up, and for the
    /// first seconds of that.
    #[serde(default)]
    pub blocks_per_second: Option<f64>,
    /// Seconds until it reaches the tip at that pace.
    #[serde(default)]
    pub seconds_left: Option<u64>,
    /// The module's state.
    #[serde(default)]
    pub module: Check,
    /// The chain source's state.
    #[serde(default)]
    pub source: Check,
    /// Memory.
    #[serde(default)]
    pub memory: Memory,
    /// Its store; unknown until that is open.
    #[serde(default)]
    pub store: Option<Store>,
    /// The file system that holds its data, as statvfs has it; unknown until the store is open.
    #[serde(default)]
    pub volume: Option<Volume>,
    /// Snapshots that it publishes; none if it is not to.
    #[serde(default)]
    pub snapshots: Option<Snapshots>,
    /// Set while this machine cannot do what a block needs and retries.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// Set while it is halted.
    #[serde(default)]
    pub halt: Option<Halt>,
    /// The id of the last request to refresh that was carried out.
    #[serde(default)]
    pub last_refresh_request: Option<String>,
    /// The block the guest is running right now; none between blocks.
    #[serde(default)]
    pub block_under_way: Option<BlockUnderWay>,
}

/// Whether something is as it must be, and if not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Check {
    /// True: as it must be. None: not known yet.
    pub ok: Option<bool>,
    /// One of a fixed set of CamelCase words; it becomes the reason of a condition.
    pub reason: String,
    /// What was found and what to do, for people.
    pub message: String,
}

/// Memory of one process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Linear memory of the guest at the end of its last block, in bytes.
    pub guest_bytes: u64,
    /// The most it was since the process started, in bytes.
    pub guest_peak_bytes: u64,
    /// The height at which that was.
    pub guest_peak_height: Option<u32>,
    /// Resident memory of the process, in bytes.
    pub resident_bytes: u64,
    /// The threshold in force, in bytes.
    pub threshold_bytes: u64,
    /// The limit in force, in bytes.
    pub limit_bytes: u64,
    /// Height of the last block that ended at or above the threshold.
    pub last_crossing_height: Option<u32>,
    /// Refreshes since the process started.
    pub refreshes: Refreshes,
    /// The last of them.
    pub last_refresh: Option<LastRefresh>,
}

/// The store of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Store {
    /// Rows in it: one for each key and height at which it was written.
    pub rows: u64,
    /// Bytes of its files.
    pub disk_bytes: u64,
    /// Bytes that merges may take beyond that for a while, at most; 0 for versions that do not know it.
    pub merge_bytes_max: u64,
    /// Sorted runs of rows, each of which a read may have to ask.
    pub runs: u32,
    /// Merges of runs that are due or under way. In a sync there is always some; for hours, the disk cannot follow.
    pub merges_pending: u32,
    /// Bytes that filters and indexes take in memory, and bytes they may take.
    pub filters_bytes: u64,
    /// What they may take.
    pub filters_max_bytes: u64,
    /// Rows of files whose filters are not in memory, so that every read asks the disk about them; 0 unless the store
    /// has too little memory.
    pub unfiltered_rows: u64,
}

/// The file system of one process' data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// Bytes of all of it.
    pub capacity_bytes: u64,
    /// Bytes that can still be written.
    pub free_bytes: u64,
    /// Bytes a day by which what is taken grew over the last day, or since the start of the process; unknown for the
    /// first ten minutes.
    pub growth_per_day_bytes: Option<u64>,
    /// Days until it is full at that pace; none if it does not grow.
    pub days_left: Option<f64>,
}

/// Snapshots that a process publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshots {
    /// The last one that is whole; none: there is none, or the storage has not been asked.
    pub latest: Option<LatestSnapshot>,
    /// The one that is being published.
    pub underway: Option<SnapshotUnderway>,
    /// Whether publishing works.
    pub check: Check,
    /// The id of the last request for a snapshot that was carried out.
    pub last_request: Option<String>,
}

/// Why indexing stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// What kind of failure it was.
    pub class: FaultClass,
    /// The height that could not be indexed.
    pub height: u32,
    /// The block there, in display order.
    pub block_hash: String,
    /// How many times it was run.
    pub runs: u32,
    /// The guest's own message, or ours; at most 1,000 characters.
    pub message: String,
}

/// What a machine currently fails to do for the guest. Cleared by the next block that is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// What kind of failure it is.
    pub class: FaultClass,
    /// What failed last; at most 1,000 characters.
    pub message: String,
    /// When it failed first.
    pub since: Time,
}

impl Trouble {
    /// One that begins at this moment.
    #[must_use]
    pub fn now(class: FaultClass, message: String) -> Self {
        Self {
            class,
            message,
            since: Time(k8s_openapi::jiff::Timestamp::now()),
        }
    }
}

/// Kinds of failures of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultClass {
    /// Caused by the guest: a trap, an abort, no flush, an invalid call. Halts.
    Guest,
    /// The guest failed after it was refused more memory than its limit. Halts.
    Limit,
    /// Caused by this machine: memory, disk. Retried, never halts.
    Host,
    /// There is no room on the disk of the index. Retried, never halts.
    DiskFull,
    /// Caused by the node. Retried, never halts.
    Source,
    /// The chain left the range that can be undone. Halts.
    Reorg,
    /// A reused instance and a fresh one wrote different rows for the same block. Halts.
    Nondeterminism,
}
