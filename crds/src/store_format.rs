//! The format of stores.

/// The format in which this version writes a store. It reads and converts the one before, and is no part of an index's
/// [`Identity`](crate::Identity): the same blocks give the same digests in every format.
pub const STORE_FORMAT: u32 = 2;

/// The oldest format that this version reads: it converts such a store when it opens it.
pub const STORE_FORMAT_OLDEST: u32 = STORE_FORMAT - 1;
