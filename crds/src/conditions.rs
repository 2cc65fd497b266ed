//! Condition types and reasons. Both are public API that tools match on, so they are constants, never computed text.

/// Types, all of which are present from the first pass on.
pub mod types {
    /// Everything the spec asks for holds: all pods follow the chain with a verified module.
    pub const READY: &str = "Ready";
    /// At least one pod answers queries through the Service.
    pub const AVAILABLE: &str = "Available";
    /// The index is within the allowed distance of the chain's tip.
    pub const SYNCED: &str = "Synced";
    /// The module's bytes have the declared digest and the needed exports.
    pub const MODULE_VERIFIED: &str = "ModuleVerified";
    /// The chain source answers, for the right network, and has the blocks needed.
    pub const CHAIN_SOURCE_READY: &str = "ChainSourceReady";
    /// Every volume has the size that it should have. It says nothing about room on them.
    pub const STORAGE_READY: &str = "StorageReady";
    /// The last snapshot that was due was published. True also if none are declared.
    pub const SNAPSHOTS_READY: &str = "SnapshotsReady";
    /// A guest's memory recently was at or above the threshold at the end of a block.
    pub const MEMORY_PRESSURE: &str = "MemoryPressure";
    /// A pod has less memory than it should: for filters of its store's rows, or than is recommended and to be given.
    pub const MEMORY_UNDERSIZED: &str = "MemoryUndersized";
    /// A change is in progress; no action needed (kstatus).
    pub const RECONCILING: &str = "Reconciling";
    /// No progress without manual intervention (kstatus). Never true together with [`RECONCILING`].
    pub const STALLED: &str = "Stalled";
    /// There are no pods because the spec suspends the index.
    pub const SUSPENDED: &str = "Suspended";
    /// Pods of one revision have equal digests at equal heights.
    pub const CONSISTENT: &str = "Consistent";
    /// The declared identity is not the serving one, and clients have not been moved to it yet.
    pub const ROLLOUT_IN_PROGRESS: &str = "RolloutInProgress";

    /// All of them, in the order in which a status lists them.
    pub const ALL: [&str; 14] = [
        READY,
        AVAILABLE,
        SYNCED,
        MODULE_VERIFIED,
        CHAIN_SOURCE_READY,
        STORAGE_READY,
        SNAPSHOTS_READY,
        MEMORY_PRESSURE,
        MEMORY_UNDERSIZED,
        CONSISTENT,
        ROLLOUT_IN_PROGRESS,
        RECONCILING,
        STALLED,
        SUSPENDED,
    ];
}

/// Reasons of events that go with no condition.
pub mod events {
    /// A pod carries the labels of this Indexer and is not its: the Service may send clients to it.
    pub const FOREIGN_POD: &str = "ForeignPod";
    /// A `PodDisruptionBudget` has kept a pod that is to be replaced from being evicted for a minute.
    pub const EVICTION_REFUSED: &str = "EvictionRefused";
    /// More than one `PodDisruptionBudget` selects a pod that is to be replaced, so that it cannot be evicted.
    pub const BUDGETS_OVERLAP: &str = "BudgetsOverlap";
    /// A pod was asked for a fresh guest instance several times and did not make one.
    pub const REFRESH_OVERDUE: &str = "RefreshOverdue";
    /// The pod that publishes snapshots does not take a request for one.
    pub const SNAPSHOT_REQUEST_REFUSED: &str = "SnapshotRequestRefused";
    /// Volumes grow by themselves, because one has too little room.
    pub const VOLUMES_GROW: &str = "VolumesGrow";
    /// Another installation of the operator looks after this Indexer; this one, which sees it too, leaves it alone.
    pub const OTHER_INSTALLATION: &str = "OtherInstallation";
    /// A process of the same installation that was started with other settings took this Indexer over; the one that had it
    /// leaves it alone.
    pub const SUPERSEDED: &str = "Superseded";
    /// The operator failed by a defect of its own; the note has its words.
    pub const INTERNAL_ERROR: &str = "InternalError";
}

/// Reasons, by what they say.
pub mod reasons {
    /// The condition is as desired; there is nothing to explain.
    pub const AS_EXPECTED: &str = "AsExpected";
    /// The spec cannot be turned into pods; the message lists every problem.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// `module.path` names a local file, which is not available to pods.
    pub const MODULE_PATH_NOT_FOR_PODS: &str = "ModulePathNotForPods";
    /// `chain.source.blockFiles` names a local folder, which is not available to pods.
    pub const BLOCK_FILES_NOT_FOR_PODS: &str = "BlockFilesNotForPods";
    /// `bootstrap.snapshot.url` or `snapshots.url` names a local folder, which is not available to pods.
    pub const SNAPSHOT_FOLDER_NOT_FOR_PODS: &str = "SnapshotFolderNotForPods";
    /// `snapshots` is not declared.
    pub const NOT_CONFIGURED: &str = "NotConfigured";
    /// Filters and indexes of a store do not fit into the memory it has; the message says which number to raise.
    pub const FILTERS_ON_DISK: &str = "FiltersOnDisk";
    /// The node of a pod has no room now for the memory that the pod should have; it gets it once there is.
    pub const RESIZE_DEFERRED: &str = "ResizeDeferred";
    /// The node of a pod is too small for the memory that the pod should have.
    pub const RESIZE_INFEASIBLE: &str = "ResizeInfeasible";
    /// The API server refused to give a pod the memory that it should have; the message contains its explanation.
    pub const RESIZE_REFUSED: &str = "ResizeRefused";
    /// Pods need more memory than `memory.maxLimit` allows.
    pub const AT_MAX_LIMIT: &str = "AtMaxLimit";
    /// All of them are in memory.
    pub const FILTERS_IN_MEMORY: &str = "FiltersInMemory";
    /// A pod's claim is not there yet, or has no volume yet.
    pub const CLAIMS_PENDING: &str = "ClaimsPending";
    /// A volume is smaller than its claim asks for, and grows.
    pub const RESIZING: &str = "Resizing";
    /// A volume has grown, and the file system on it has not yet.
    pub const FILE_SYSTEM_RESIZE_PENDING: &str = "FileSystemResizePending";
    /// The storage class does not let its volumes grow.
    pub const CLASS_CANNOT_EXPAND: &str = "ClassCannotExpand";
    /// A quota of the namespace does not let a volume grow.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// A volume does not grow for another reason; the message contains Kubernetes' explanation.
    pub const RESIZE_FAILED: &str = "ResizeFailed";
    /// A pod has too little room, and its volume has the largest size that `storage.autoGrow` allows.
    pub const AT_MAX_SIZE: &str = "AtMaxSize";
    /// A volume will soon be full.
    pub const VOLUME_LOW: &str = "VolumeLow";
    /// `storage.size` is smaller than the volumes there are, which stay as they are.
    pub const SIZE_REFUSED: &str = "SizeRefused";
    /// No pod has reported yet.
    pub const NO_REPORT: &str = "NoReport";
    /// A pod has been running one block for more than a minute; the message names both.
    pub const LONG_RUN: &str = "LongRun";
    /// A pod reported a reason unknown to this operator; it may run a newer version.
    pub const UNRECOGNIZED: &str = "UnrecognizedReason";
    /// A pod exists but does not answer.
    pub const UNREACHABLE: &str = "PodUnreachable";
    /// No pod is ready.
    pub const NO_READY_PODS: &str = "NoReadyPods";
    /// Pods are being created or replaced.
    pub const ROLLING: &str = "RollingPods";
    /// Blocks are missing up to the tip.
    pub const CATCHING_UP: &str = "CatchingUp";
    /// The guest failed a block twice; indexing stopped below it, and what is below is served.
    pub const HALTED: &str = "Halted";
    /// The chain reorganised deeper than `maxReorgDepth`.
    pub const REORG_TOO_DEEP: &str = "ReorgTooDeep";
    /// A pod's machine currently cannot run the guest, for lack of memory. The pod retries by itself.
    pub const HOST_FAULT: &str = "HostFault";
    /// The volume of a pod is full: indexing waits for room, and what is indexed is served.
    pub const DISK_FULL: &str = "DiskFull";
    /// An audit found that the guest carries state from block to block; indexing stopped below that block.
    pub const NONDETERMINISM: &str = "Nondeterminism";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
    /// `spec.replicas` is 0.
    pub const SCALED_TO_ZERO: &str = "ScaledToZero";
    /// `spec.suspend` is false.
    pub const NOT_SUSPENDED: &str = "NotSuspended";
    /// The guest's memory reached the threshold.
    pub const ABOVE_THRESHOLD: &str = "AboveThreshold";
    /// The guest's memory is below the threshold.
    pub const BELOW_THRESHOLD: &str = "BelowThreshold";
    /// An API call of the operator was refused; the message contains the server's explanation.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// The serving revision is the declared one.
    pub const NO_ROLLOUT: &str = "NoRollout";
    /// The candidate is caught up and healthy, and must stay so for `rollout.soak`.
    pub const SOAKING: &str = "Soaking";
    /// Clients are being moved.
    pub const SWITCHING: &str = "Switching";
    /// Clients are not moved although the candidate may be healthy; the message explains why.
    pub const BLOCKED: &str = "Blocked";
    /// The candidate cannot become what is declared; the message contains its revision and the error.
    pub const CANDIDATE_FAILED: &str = "CandidateFailed";
    /// The existing data cannot be continued by the declared module; the message says why and what to do.
    pub const IN_PLACE_REFUSED: &str = "InPlaceRefused";
    /// The candidate cannot start from the serving revision's data; the message says why and what to do.
    pub const SEED_REFUSED: &str = "SeedRefused";
    /// Claims hold the data of the serving revision, and nothing says any more how it was built; the message says what to
    /// do.
    pub const RECORD_LOST: &str = "RecordLost";
    /// The index is to be built again, because this version does not read its data, and other Indexers come first.
    pub const QUEUED: &str = "Queued";
    /// This version can neither read the data nor build it again; pods keep their image.
    pub const STORE_FORMAT_REFUSED: &str = "StoreFormatRefused";
    /// Pods of one revision have different digests at one height; the message names the height and the pods.
    pub const DIGESTS_DIFFER: &str = "DigestsDiffer";
    /// Fewer than two pods report, so there is nothing to compare.
    pub const NOT_COMPARED: &str = "NotCompared";
    /// A pod cannot be scheduled, or its containers cannot start; the message contains Kubernetes' explanation.
    pub const POD_NOT_RUNNING: &str = "PodNotRunning";
}
