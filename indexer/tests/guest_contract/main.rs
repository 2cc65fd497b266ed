//! The guest contract, held against real modules on the real engine: what a module must be, what each host function
//! does, what is refused and how that is told.

// Clippy knows tests, but not the functions beside them.
#![allow(clippy::unwrap_used)]

mod abi;
mod determinism;
mod guests;
mod limits;
mod load;
mod stage;
mod views;
