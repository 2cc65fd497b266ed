//! From blocks to the store.

pub mod fetch;
