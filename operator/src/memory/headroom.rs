//! How much more than what was seen there must be.

/// What comes may need this much more than what was seen: one part in so many.
const HEADROOM_PART: u64 = 4;

/// So many bytes, and a quarter more.
#[must_use]
pub(super) fn with_headroom(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / HEADROOM_PART)
}
