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
    /// The copy is invalid or cannot be continued; the message says why.
    REFUSED = "SeedRefused";
}
