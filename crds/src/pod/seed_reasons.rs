//! Reasons of [`Status::seed`](crate::pod::Status::seed).

/// The copy is made, or looked for.
pub const COPYING: &str = "Copying";
/// The copy is complete and its digests agree.
pub const SEEDED: &str = "Seeded";
/// No pod serves a copy just now; it is asked for again.
pub const UNREACHABLE: &str = "SeedUnreachable";
/// The copy is not what it should be, or cannot be continued; the message says why.
pub const REFUSED: &str = "SeedRefused";
