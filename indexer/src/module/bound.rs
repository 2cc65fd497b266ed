//! How long a module may be, wherever it comes from.

/// Bytes above this are no module: the largest known ones have a few MiB.
pub const MODULE_BYTES_MAX: usize = 256 << 20;
