//! Condition types and reasons. Both are public API: tools match on them, so they are constants and never computed text.

/// Types that are present from the first pass on and never leave.
pub mod types {
    /// All that the resource promises holds: pods follow the chain with a verified module.
    pub const READY: &str = "Ready";
    /// At least one pod answers queries through the Service.
    pub const AVAILABLE: &str = "Available";
    /// The index is within the allowed distance of the chain's tip.
    pub const SYNCED: &str = "Synced";
    /// The module's bytes have the declared digest and the needed exports.
    pub const MODULE_VERIFIED: &str = "ModuleVerified";
    /// The chain source answers, for the right network, and has the blocks needed.
    pub const CHAIN_SOURCE_READY: &str = "ChainSourceReady";
    /// A guest ended a block at or above the threshold lately.
    pub const MEMORY_PRESSURE: &str = "MemoryPressure";
    /// Something moves and no human is needed (kstatus).
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing will move until a human acts (kstatus). Never true together with [`RECONCILING`].
    pub const STALLED: &str = "Stalled";
    /// Pods are gone because the spec says so.
    pub const SUSPENDED: &str = "Suspended";

    /// All of them, in the order in which they are listed in a status.
    pub const ALL: [&str; 9] = [
        READY,
        AVAILABLE,
        SYNCED,
        MODULE_VERIFIED,
        CHAIN_SOURCE_READY,
        MEMORY_PRESSURE,
        RECONCILING,
        STALLED,
        SUSPENDED,
    ];
}

/// Reasons, by what they say.
pub mod reasons {
    /// The condition is as one would wish and there is nothing to explain.
    pub const AS_EXPECTED: &str = "AsExpected";
    /// The spec cannot be turned into pods; the message lists every problem.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// `module.path` names a file of somebody's own machine, which no pod has.
    pub const MODULE_PATH_NOT_FOR_PODS: &str = "ModulePathNotForPods";
    /// `chain.source.blockFiles` names a folder of somebody's own machine, which no pod has.
    pub const BLOCK_FILES_NOT_FOR_PODS: &str = "BlockFilesNotForPods";
    /// No pod has reported yet.
    pub const NO_REPORT: &str = "NoReport";
    /// A pod exists but does not answer.
    pub const UNREACHABLE: &str = "PodUnreachable";
    /// No pod is ready.
    pub const NO_READY_PODS: &str = "NoReadyPods";
    /// Pods are being created or replaced.
    pub const ROLLING: &str = "RollingPods";
    /// Blocks are missing up to the tip.
    pub const CATCHING_UP: &str = "CatchingUp";
    /// The guest failed a block twice; indexing stopped below it.
    pub const HALTED: &str = "Halted";
    /// The chain reorganised deeper than `maxReorgDepth`.
    pub const REORG_TOO_DEEP: &str = "ReorgTooDeep";
    /// A pod's machine cannot run the guest just now, for want of memory. It tries again by itself.
    pub const HOST_FAULT: &str = "HostFault";
    /// An audit found that the guest lets something pass from block to block; indexing stopped below that block.
    pub const NONDETERMINISM: &str = "Nondeterminism";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
    /// `spec.replicas` is 0: no pods are wanted.
    pub const SCALED_TO_ZERO: &str = "ScaledToZero";
    /// `spec.suspend` is false.
    pub const NOT_SUSPENDED: &str = "NotSuspended";
    /// The guest's memory reached the threshold.
    pub const ABOVE_THRESHOLD: &str = "AboveThreshold";
    /// The guest's memory stays below the threshold.
    pub const BELOW_THRESHOLD: &str = "BelowThreshold";
    /// An API call of the operator was refused; the message has the server's words.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// A pod cannot be scheduled or its containers cannot start; the message has Kubernetes' words.
    pub const POD_NOT_RUNNING: &str = "PodNotRunning";
}
