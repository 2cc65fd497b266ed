//! (pure) What is put in the place of secrets.

/// What is put in the place of what is removed.
pub const REMOVED: &str = "[removed]";
