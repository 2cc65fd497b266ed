//! The guest contract, held against real modules on the real engine: what a module must be, what each host function
//! does, what is refused and what is said about it.

// Clippy knows tests, but not the functions beside them.
#![allow(clippy::unwrap_used)]

mod abi;
mod determinism;
mod guests;
mod limits;
mod load;
mod logs;
mod stage;
mod swap;
mod views;

#[path = "../support/alone.rs"]
mod alone;
#[path = "../support/cgroup.rs"]
mod cgroup;
