//! Reasons of [`Status::seed`](crate::pod::Status::seed).

words! {
    /// The copy is being made, or a pod that serves one is being looked for.
    COPYING = "Copying";
    /// The copy is complete and its digests were verified.
    SEEDED = "Seeded";
    /// No pod has a copy to give: the first blocks come from the chain.
    NO_COPY = "NoCopy";
    /// No pod currently serves a copy; the request is retried.
    UNREACHABLE = "SeedUnreachable";
    /// A snapshot is being received, or checked.
    RESTORING = "Restoring";
    /// The storage of the snapshot does not answer, or there is no room here; it is retried.
    SNAPSHOT_UNAVAILABLE = "SnapshotUnavailable";
    /// The snapshot is of another index, is not what it should be, or may not be read; the message says which.
    SNAPSHOT_REFUSED = "SnapshotRefused";
    /// The copy is invalid or cannot be continued; the message says why.
    REFUSED = "SeedRefused";
}

/// Those of a store that is being filled, which may take long.
pub const UNDER_WAY: [&str; 2] = [COPYING, RESTORING];
/// Those that do not go away by waiting.
pub const REFUSALS: [&str; 2] = [REFUSED, SNAPSHOT_REFUSED];
