//! The format of stores.

/// The format in which this version writes a store. It reads and converts the one before, and is no part of an index's
/// [`Identity`](crate::Identity): the same blocks give the same digests in every format.
pub const STORE_FORMAT: u32 = 2;
