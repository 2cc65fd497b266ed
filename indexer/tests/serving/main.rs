//! Queries in a real process without its ports: the real server over a real store and real guests.

// The stage is test code, though not all of it is in functions marked as tests.
#![allow(clippy::unwrap_used)]

/// The names of what can be asked.
mod listed;
/// Values read without a view.
mod lookup;
/// Queries that take all they may do not take the process with them.
mod memory;
/// A block that is tried out for one query leaves nothing behind.
mod preview;
mod stage;
/// Views and indexing do not hinder each other.
mod views;

#[path = "../support/alone.rs"]
mod alone;
#[path = "../support/cgroup.rs"]
mod cgroup;
