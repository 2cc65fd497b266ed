//! Reasons of [`Status::seed`](crate::pod::Status::seed).

words! {
    /// The copy is made, or looked for.
    COPYING = "Copying";
    /// The copy is complete and its digests agree.
    SEEDED = "Seeded";
    /// No pod serves a copy just now; it is asked for again.
    UNREACHABLE = "SeedUnreachable";
    /// The copy is not what it should be, or cannot be continued; the message says why.
    REFUSED = "SeedRefused";
}
