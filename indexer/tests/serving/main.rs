//! Queries in a real process without its ports: the real server over a real store and real guests.

// The stage is all test, though not all of it stands in functions marked so.
#![allow(clippy::unwrap_used)]

/// A block that is tried out for one query leaves nothing behind.
mod preview;
mod stage;
/// Views and indexing do not get into each other's way.
mod views;
